-- One descending expression holds the whole order: with a second column Flink 2.3.0 takes this Top-1 for
-- insert-only and loses the rows that go (FLINK-40368).
SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra,
       auction, bidder, price, bid_time, bid_extra
FROM (
  SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_time, b.extra AS bid_extra,
         ROW_NUMBER() OVER (
           PARTITION BY a.id ORDER BY b.price * 1000000000 - (b.date_time_ms - 1436918400000) DESC
         ) AS place
  FROM auction AS a
  JOIN bid AS b ON a.id = b.auction
  WHERE b.date_time BETWEEN a.date_time AND a.expires
)
WHERE place <= 1
