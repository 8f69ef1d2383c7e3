-- Written by Tandem for the database database-1: periodic work and examples; changes by hand are replaced.
CREATE OR REPLACE DEFINER = billing_owner@localhost EVENT billing.remove_expired_reservations
  ON SCHEDULE EVERY 1 MINUTE
  COMMENT 'Expired reservations hold no funds; they are kept a while to explain what happened.'
  DO DELETE FROM billing.reservation
     WHERE expires < UTC_TIMESTAMP() - INTERVAL 2 HOUR;

-- The accounts of the examples, where they are missing; what they have used so far stays.
INSERT IGNORE INTO billing.customer (name) VALUES ('Example');
INSERT IGNORE INTO billing.tariff (name) VALUES ('Example');
INSERT IGNORE INTO billing.rate (tariff_id, prefix, per_minute)
  SELECT id, prefix, per_minute
  FROM billing.tariff, (SELECT '44' AS prefix, 0.03 AS per_minute UNION SELECT '1', 0.10 UNION SELECT '4470', 0.25) AS example
  WHERE name = 'Example';
INSERT IGNORE INTO billing.account (name, customer_id, tariff_id, credit_limit, balance)
  SELECT account, customer.id, tariff.id, credit_limit, balance
  FROM billing.customer, billing.tariff,
       (SELECT '1001' AS account, 1.00 AS credit_limit, 0.00 AS balance UNION SELECT '1002', 5.00, 5.00) AS example
  WHERE customer.name = 'Example' AND tariff.name = 'Example';
