-- Written by Tandem for the database database-1: who may connect; changes by hand are replaced.
-- Run at each start and reload. Users of addresses that are no longer named lose their connections and are dropped.
CREATE USER IF NOT EXISTS billing_engine@'198.18.1.31' IDENTIFIED BY 'the%password-of{a}case';
ALTER USER billing_engine@'198.18.1.31' IDENTIFIED BY 'the%password-of{a}case'
  WITH MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 30;
GRANT EXECUTE ON PROCEDURE billing.authorize TO billing_engine@'198.18.1.31';
GRANT EXECUTE ON PROCEDURE billing.account_start TO billing_engine@'198.18.1.31';
GRANT EXECUTE ON PROCEDURE billing.account_stop TO billing_engine@'198.18.1.31';
CREATE USER IF NOT EXISTS billing_engine@'198.18.1.32' IDENTIFIED BY 'the%password-of{a}case';
ALTER USER billing_engine@'198.18.1.32' IDENTIFIED BY 'the%password-of{a}case'
  WITH MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 30;
GRANT EXECUTE ON PROCEDURE billing.authorize TO billing_engine@'198.18.1.32';
GRANT EXECUTE ON PROCEDURE billing.account_start TO billing_engine@'198.18.1.32';
GRANT EXECUTE ON PROCEDURE billing.account_stop TO billing_engine@'198.18.1.32';

DELIMITER //
BEGIN NOT ATOMIC
  FOR stale IN (SELECT Host AS host FROM mysql.global_priv WHERE User = 'billing_engine'
                AND Host NOT IN ('198.18.1.31', '198.18.1.32')
                ) DO
    EXECUTE IMMEDIATE CONCAT('DROP USER billing_engine@', QUOTE(stale.host));
  END FOR;
  FOR stale IN (SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'billing_engine'
                AND SUBSTRING_INDEX(HOST, ':', 1) NOT IN ('198.18.1.31', '198.18.1.32')
                ) DO
    BEGIN
      DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;  -- the connection has ended by itself
      EXECUTE IMMEDIATE CONCAT('KILL CONNECTION ', stale.id);
    END;
  END FOR;
END//
DELIMITER ;
