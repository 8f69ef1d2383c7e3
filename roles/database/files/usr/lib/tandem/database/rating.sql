-- What billing engines call. Rules of rounding are options of the billing engine and come as parameters:
--   rate_places, rate_rounding       a rate per minute is rounded before it is used
--   charge_places, charge_rounding   a charge is rounded to these places of the currency
--   charge_step, minimum_duration    seconds: each begun step is charged, and at least so long
--   minimum_charge                   in the currency of the account

USE billing;
DELIMITER //

CREATE OR REPLACE DEFINER = billing_owner@localhost FUNCTION rounded
  (amount DECIMAL(30, 9), places TINYINT UNSIGNED, rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
  RETURNS DECIMAL(20, 5) DETERMINISTIC NO SQL SQL SECURITY INVOKER
  COMMENT 'Round an amount of money to places: half_up, up or down.'
BEGIN
  DECLARE low DECIMAL(30, 9) DEFAULT TRUNCATE(amount, places);
  -- As decimals: a power of ten would be a floating-point number.
  DECLARE unit DECIMAL(30, 9) DEFAULT CASE places WHEN 0 THEN 1 WHEN 1 THEN 0.1 WHEN 2 THEN 0.01 WHEN 3 THEN 0.001
                                                  WHEN 4 THEN 0.0001 ELSE 0.00001 END;
  RETURN CASE rounding
    WHEN 'up' THEN IF(low < amount, low + unit, low)
    WHEN 'down' THEN low
    ELSE ROUND(amount, places) END;
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost FUNCTION find_rate
  (of_tariff INT UNSIGNED, to_destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
  RETURNS DECIMAL(12, 5) READS SQL DATA SQL SECURITY INVOKER
  COMMENT 'Return the rate per minute of the longest prefix of a destination, or NULL.'
BEGIN
  DECLARE found DECIMAL(12, 5);
  DECLARE digits VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT TRIM(LEADING '+' FROM to_destination);
  -- The prefixes are listed, so that the primary key finds each.
  SELECT per_minute INTO found FROM rate
    WHERE tariff_id = of_tariff
      AND prefix IN ('', LEFT(digits, 1), LEFT(digits, 2), LEFT(digits, 3), LEFT(digits, 4), LEFT(digits, 5),
                     LEFT(digits, 6), LEFT(digits, 7), LEFT(digits, 8), LEFT(digits, 9), LEFT(digits, 10),
                     LEFT(digits, 11), LEFT(digits, 12), LEFT(digits, 13), LEFT(digits, 14), LEFT(digits, 15),
                     LEFT(digits, 16))
    ORDER BY LENGTH(prefix) DESC LIMIT 1;
  RETURN found;
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost FUNCTION charge_of
  (per_minute DECIMAL(12, 5), seconds INT UNSIGNED, charge_places TINYINT UNSIGNED,
   charge_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin, charge_step INT UNSIGNED,
   minimum_duration INT UNSIGNED, minimum_charge DECIMAL(15, 5))
  RETURNS DECIMAL(15, 5) READS SQL DATA SQL SECURITY INVOKER
  COMMENT 'Return what a session costs that lasted so many seconds; one that never started costs nothing.'
BEGIN
  DECLARE steps INT UNSIGNED DEFAULT CEILING(GREATEST(seconds, minimum_duration) / charge_step);
  IF seconds = 0 OR per_minute = 0 THEN RETURN 0; END IF;
  RETURN GREATEST(minimum_charge, rounded(per_minute * steps * charge_step / 60, charge_places, charge_rounding));
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost FUNCTION seconds_for
  (funds DECIMAL(20, 5), per_minute DECIMAL(12, 5), longest INT UNSIGNED, charge_places TINYINT UNSIGNED,
   charge_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin, charge_step INT UNSIGNED,
   minimum_duration INT UNSIGNED, minimum_charge DECIMAL(15, 5))
  RETURNS INT UNSIGNED READS SQL DATA SQL SECURITY INVOKER
  COMMENT 'Return the longest session whose charge is within the funds, up to the longest allowed.'
BEGIN
  DECLARE spendable DECIMAL(20, 5) DEFAULT funds;
  DECLARE affordable BIGINT UNSIGNED;
  IF per_minute = 0 THEN RETURN longest; END IF;
  -- A part of the smallest unit cannot pay for a charge that may be rounded up to that unit.
  IF charge_rounding <> 'down' THEN SET spendable = TRUNCATE(funds, charge_places); END IF;
  IF spendable <= 0 OR funds < minimum_charge THEN RETURN 0; END IF;
  -- Multiply before dividing: 1.00 / 0.03 * 60 would floor to 1999.
  SET affordable = FLOOR(FLOOR(spendable * 60 / per_minute) / charge_step) * charge_step;
  IF affordable < minimum_duration THEN RETURN 0; END IF;
  RETURN LEAST(affordable, longest);
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost PROCEDURE authorize
  (IN of_account VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
   IN to_destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
   IN of_session VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin,
   IN from_node VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
   IN shortest INT UNSIGNED, IN longest INT UNSIGNED, IN unanswered INT UNSIGNED,
   IN rate_places TINYINT UNSIGNED, IN rate_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
   IN charge_places TINYINT UNSIGNED, IN charge_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
   IN charge_step INT UNSIGNED, IN minimum_duration INT UNSIGNED, IN minimum_charge DECIMAL(15, 5))
  MODIFIES SQL DATA SQL SECURITY DEFINER
  COMMENT 'Reserve funds for a session. Answer "OK seconds rate", or "NO reason".'
authorization: BEGIN
  DECLARE the_account, the_tariff, the_seconds, own_longest, held_by INT UNSIGNED;
  DECLARE owed, credit, reserved, the_rate DECIMAL(20, 5);
  DECLARE is_blocked BOOLEAN;
  DECLARE held_destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE now DATETIME DEFAULT UTC_TIMESTAMP();
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  -- The lock on the account's row puts everything about its money in a queue.
  SELECT id, tariff_id, balance, credit_limit, blocked, longest_session
    INTO the_account, the_tariff, owed, credit, is_blocked, own_longest
    FROM account WHERE name = of_account FOR UPDATE;
  IF the_account IS NULL THEN ROLLBACK; SELECT 'NO unknown_account' AS answer; LEAVE authorization; END IF;
  IF is_blocked THEN ROLLBACK; SELECT 'NO blocked' AS answer; LEAVE authorization; END IF;

  -- The same session asked again, after a lost answer or through another node, has the same answer.
  SELECT account_id, destination, seconds, per_minute INTO held_by, held_destination, the_seconds, the_rate
    FROM reservation WHERE session = of_session AND expires > now;
  IF the_seconds IS NOT NULL THEN
    COMMIT;
    SELECT IF(held_by = the_account AND held_destination = to_destination,
              CONCAT('OK ', the_seconds, ' ', the_rate), 'NO bad_request') AS answer;
    LEAVE authorization;
  END IF;
  -- A session that has ended cannot begin again: its second stop would charge nothing.
  IF EXISTS (SELECT 1 FROM xdr WHERE session = of_session) THEN
    ROLLBACK; SELECT 'NO bad_request' AS answer; LEAVE authorization;
  END IF;

  SET the_rate = rounded(find_rate(the_tariff, to_destination), rate_places, rate_rounding);
  IF the_rate IS NULL THEN ROLLBACK; SELECT 'NO no_rate' AS answer; LEAVE authorization; END IF;
  SELECT COALESCE(SUM(amount), 0) INTO reserved FROM reservation WHERE account_id = the_account AND expires > now;
  SET the_seconds = seconds_for(credit - owed - reserved, the_rate, LEAST(longest, COALESCE(own_longest, longest)),
                                charge_places, charge_rounding, charge_step, minimum_duration, minimum_charge);
  IF the_seconds < shortest THEN ROLLBACK; SELECT 'NO no_funds' AS answer; LEAVE authorization; END IF;

  DELETE FROM reservation WHERE session = of_session AND expires <= now;
  INSERT INTO reservation (session, account_id, destination, per_minute, seconds, amount, node, authorised, expires)
    VALUES (of_session, the_account, to_destination, the_rate, the_seconds,
            charge_of(the_rate, the_seconds, charge_places, charge_rounding, charge_step, minimum_duration, minimum_charge),
            from_node, now, now + INTERVAL unanswered SECOND);
  COMMIT;
  SELECT CONCAT('OK ', the_seconds, ' ', the_rate) AS answer;
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost PROCEDURE account_start
  (IN of_session VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin, IN overdue INT UNSIGNED)
  MODIFIES SQL DATA SQL SECURITY DEFINER
  COMMENT 'Keep the reservation of a session that was answered until it must have ended.'
BEGIN
  UPDATE reservation SET started = UTC_TIMESTAMP(), expires = UTC_TIMESTAMP() + INTERVAL (seconds + overdue) SECOND
    WHERE session = of_session AND started IS NULL;
  SELECT 'OK' AS answer;
END//

CREATE OR REPLACE DEFINER = billing_owner@localhost PROCEDURE account_stop
  (IN of_session VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin,
   IN of_account VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
   IN to_destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
   IN lasted INT UNSIGNED, IN why VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
   IN rate_places TINYINT UNSIGNED, IN rate_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
   IN charge_places TINYINT UNSIGNED, IN charge_rounding VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
   IN charge_step INT UNSIGNED, IN minimum_duration INT UNSIGNED, IN minimum_charge DECIMAL(15, 5))
  MODIFIES SQL DATA SQL SECURITY DEFINER
  COMMENT 'Write the xDR of a session and charge it, once. Answer "OK amount", or "DUPLICATE".'
BEGIN
  DECLARE the_account, the_tariff, longest INT UNSIGNED;
  DECLARE the_rate, the_amount DECIMAL(20, 5);
  DECLARE agreed, since DATETIME;
  DECLARE known BOOLEAN DEFAULT FALSE;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  SELECT id, tariff_id INTO the_account, the_tariff FROM account WHERE name = of_account FOR UPDATE;
  -- The rate that was agreed; without a reservation, that of now.
  SELECT per_minute, started, authorised, seconds INTO the_rate, since, agreed, longest
    FROM reservation WHERE session = of_session AND account_id = the_account;
  IF the_rate IS NULL THEN
    SET the_rate = COALESCE(rounded(find_rate(the_tariff, to_destination), rate_places, rate_rounding), 0);
  END IF;
  -- A stop that does not say how long it lasted is no free session: it lasted from its start until now, as far as allowed.
  IF lasted IS NULL THEN
    SET lasted = COALESCE(LEAST(TIMESTAMPDIFF(SECOND, COALESCE(since, agreed), UTC_TIMESTAMP()), longest), 0);
  END IF;
  SET the_amount = charge_of(the_rate, lasted, charge_places, charge_rounding, charge_step, minimum_duration, minimum_charge);
  -- The unique session decides. The handler has a block of its own, because only this statement may meet it.
  BEGIN
    DECLARE CONTINUE HANDLER FOR 1062 SET known = TRUE;
    INSERT INTO xdr (session, account_id, account_name, destination, per_minute, seconds, amount, cause, started, stopped)
      VALUES (of_session, the_account, of_account, to_destination, the_rate, lasted,
              IF(the_account IS NULL, 0, the_amount), IF(the_account IS NULL, 'unknown_account', why), since, UTC_TIMESTAMP());
  END;
  IF NOT known THEN
    UPDATE account SET balance = balance + the_amount WHERE id = the_account;
  END IF;
  DELETE FROM reservation WHERE session = of_session AND account_id = the_account;
  COMMIT;
  SELECT IF(known, 'DUPLICATE', CONCAT('OK ', the_amount)) AS answer;
END//

DELIMITER ;
