-- Written by Tandem for the database database-1: who may connect; changes by hand are replaced.
-- Run at each start and reload. Users of addresses that are no longer named lose their connections and are dropped.

DELIMITER //
BEGIN NOT ATOMIC
  FOR stale IN (SELECT Host AS host FROM mysql.global_priv WHERE User = 'billing_engine'
                ) DO
    EXECUTE IMMEDIATE CONCAT('DROP USER billing_engine@', QUOTE(stale.host));
  END FOR;
  FOR stale IN (SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'billing_engine'
                ) DO
    BEGIN
      DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;  -- the connection has ended by itself
      EXECUTE IMMEDIATE CONCAT('KILL CONNECTION ', stale.id);
    END;
  END FOR;
END//
DELIMITER ;
