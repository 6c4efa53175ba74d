-- One expression for the order, as in q9.
SELECT auction, bidder, price, channel, url, date_time, extra
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY bidder, auction ORDER BY (date_time_ms - 1436918400000) * 1000000000 + price DESC
  ) AS place
  FROM bid
)
WHERE place <= 1
