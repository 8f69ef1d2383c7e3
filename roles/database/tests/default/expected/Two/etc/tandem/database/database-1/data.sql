-- Written by Tandem for the database database-1: periodic work and examples; changes by hand are replaced.
CREATE OR REPLACE DEFINER = billing_owner@localhost EVENT billing.remove_expired_reservations
  ON SCHEDULE EVERY 1 MINUTE
  COMMENT 'Expired reservations hold no funds; they are kept a while to explain what happened.'
  DO DELETE FROM billing.reservation
     WHERE expires < UTC_TIMESTAMP() - INTERVAL 24 HOUR;
