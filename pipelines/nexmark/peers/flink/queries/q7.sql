SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM (
  SELECT auction, price, bidder, CAST(date_time AS TIMESTAMP(3)) AS date_time, extra FROM bid
) AS b
JOIN (
  SELECT MAX(price) AS price, window_start, window_end
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) AS m ON b.price = m.price
WHERE b.date_time BETWEEN m.window_start AND m.window_end
