CREATE TABLE person (
  id BIGINT, name STRING, email_address STRING, credit_card STRING, city STRING, state STRING,
  date_time TIMESTAMP(3), extra STRING${WATERMARK}
) WITH ('connector' = 'memory', 'table' = 'person');

CREATE TABLE auction (
  id BIGINT, item_name STRING, description STRING, initial_bid BIGINT, reserve BIGINT,
  date_time TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING${WATERMARK}
) WITH ('connector' = 'memory', 'table' = 'auction');

CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time TIMESTAMP(3), extra STRING,
  date_time_ms BIGINT${WATERMARK}
) WITH ('connector' = 'memory', 'table' = 'bid');

CREATE TABLE side_input (`key` BIGINT, `value` STRING) WITH ('connector' = 'memory', 'table' = 'side_input')
