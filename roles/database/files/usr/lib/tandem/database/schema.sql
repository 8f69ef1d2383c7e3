-- The tables of the billing schema, and the owner of its procedures. Safe to run again: nothing that exists is changed.
-- Names and session ids are ASCII and compared byte by byte; parameters of procedures are declared alike, because a
-- comparison across character sets reads, and locks, every row.

CREATE DATABASE IF NOT EXISTS billing CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE billing;

-- Procedures run with the rights of their definer: these and no more. Nobody can log in as it.
CREATE USER IF NOT EXISTS billing_owner@localhost ACCOUNT LOCK;
GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, EVENT ON billing.* TO billing_owner@localhost;

CREATE TABLE IF NOT EXISTS schema_version (
  version INT UNSIGNED NOT NULL PRIMARY KEY,
  since DATETIME NOT NULL DEFAULT UTC_TIMESTAMP()
) ENGINE = InnoDB;

-- What was loaded last of the files that are loaded only when they change.
CREATE TABLE IF NOT EXISTS loaded (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS customer (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(64) NOT NULL UNIQUE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS tariff (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(64) NOT NULL UNIQUE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS rate (
  tariff_id INT UNSIGNED NOT NULL,
  prefix VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'first digits of a destination; the longest wins',
  per_minute DECIMAL(12, 5) NOT NULL,
  PRIMARY KEY (tariff_id, prefix),
  FOREIGN KEY (tariff_id) REFERENCES tariff (id),
  CHECK (per_minute >= 0)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS account (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE COMMENT 'the User-Name of its requests',
  customer_id INT UNSIGNED NOT NULL,
  tariff_id INT UNSIGNED NOT NULL,
  credit_limit DECIMAL(15, 5) NOT NULL DEFAULT 0,
  balance DECIMAL(15, 5) NOT NULL DEFAULT 0 COMMENT 'what is owed; funds are credit_limit less balance less reservations',
  longest_session INT UNSIGNED NULL COMMENT 'seconds; bounds what one session reserves, so that others fit beside it',
  blocked BOOLEAN NOT NULL DEFAULT FALSE,
  FOREIGN KEY (customer_id) REFERENCES customer (id),
  FOREIGN KEY (tariff_id) REFERENCES tariff (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS reservation (
  session VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id INT UNSIGNED NOT NULL,
  destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  per_minute DECIMAL(12, 5) NOT NULL COMMENT 'the rate as agreed when the session was authorised',
  seconds INT UNSIGNED NOT NULL,
  amount DECIMAL(15, 5) NOT NULL,
  node VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the address of the node that asked',
  authorised DATETIME NOT NULL,
  started DATETIME NULL,
  expires DATETIME NOT NULL,
  KEY (account_id, expires),
  KEY (expires)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS xdr (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  session VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE COMMENT 'what makes a session be charged once',
  account_id INT UNSIGNED NULL COMMENT 'NULL where the account does not exist; account_name tells which it would be',
  account_name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  destination VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  per_minute DECIMAL(12, 5) NOT NULL,
  seconds INT UNSIGNED NOT NULL,
  amount DECIMAL(15, 5) NOT NULL,
  cause VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  started DATETIME NULL,
  stopped DATETIME NOT NULL,
  KEY (account_id, stopped)
) ENGINE = InnoDB;

INSERT IGNORE INTO schema_version (version) VALUES (1);
