-- One expression for the order, as in q9.
SELECT auction, bidder, price, channel, url, date_time, extra, rank_number
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY auction ORDER BY price * 1000000000 - (date_time_ms - 1436918400000) DESC
  ) AS rank_number
  FROM bid
)
WHERE rank_number <= 10
