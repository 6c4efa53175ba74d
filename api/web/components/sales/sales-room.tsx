"use client";
import { useMemo, useState } from "react";
import { day as dayText, hour as hourText } from "@/lib/format";
import { hoursToCompare } from "@/lib/sales/figures";
import { currencyOf, type SalesScope, SalesScopeProvider } from "@/lib/sales/scope";
import { type SalesData, useSales } from "@/lib/sales/use-sales";
import { useSetParams } from "@/lib/shell/address";
import { useCatalogue } from "@/lib/shell/catalogue";
import { Empty } from "../empty";
import { RoomPaused } from "../tile/use-held";
import { CategoryTile } from "./category-tile";
import { DayControls } from "./day-controls";
import { HourTile } from "./hour-tile";
import { KeyFigures } from "./key-figures";
import { LowStockTile } from "./low-stock-tile";
import { PaymentTile } from "./payment-tile";
import { ProductTile } from "./product-tile";
import styles from "./sales-room.module.css";
import { ShopTile } from "./shop-tile";

export function SalesRoom() {
  const sales = useSales();
  const [isPaused, setPaused] = useState(false);
  const { shops } = useCatalogue();
  const shopName =
    sales.shop && (shops.value?.find(({ shop_id }) => shop_id === sales.shop)?.name ?? "This shop");
  return (
    <RoomPaused value={isPaused}>
      <div className={styles.room}>
        <div className={styles.head}>
          <div>
            <h1>Sales</h1>
            <p>
              {shopName ?? "All shops"}
              {sales.day && ` · ${dayText(sales.day, "long")}`}
            </p>
          </div>
          <DayControls
            day={sales.day}
            newestDay={sales.newestDay}
            isPaused={isPaused}
            onPause={() => setPaused(!isPaused)}
          />
        </div>
        {sales.day ? <Dashboard sales={sales} day={sales.day} /> : <Beginning sales={sales} />}
      </div>
    </RoomPaused>
  );
}

/** Before the newest day is known, and when there is none. */
function Beginning({ sales: { newest } }: { sales: SalesData }) {
  if (newest.problem?.isRefusal) {
    return (
      <Empty kind="not-allowed" title="You may not see sales">
        {newest.problem.message}
      </Empty>
    );
  }
  if (newest.problem) {
    return (
      <Empty kind="failed" title="Sales can't be read at the moment">
        {newest.problem.message} Trying again.
      </Empty>
    );
  }
  if ("value" in newest) {
    return (
      <Empty kind="no-data" title="Nothing has been sold yet">
        The first invoice of any shop appears here within a second.
      </Empty>
    );
  }
  return <p className={styles.waiting}>Reading the newest day…</p>;
}

function Dashboard({ sales, day }: { sales: SalesData; day: string }) {
  const setParams = useSetParams();
  const { shop, newestDay, dayBefore = "", hours } = sales;

  const scope = useMemo((): SalesScope => {
    const isOver = newestDay !== undefined && day < newestDay;
    const hoursCompared = hoursToCompare(hours.rows, isOver);
    const during = isOver ? "" : `, ${hourText(hoursCompared.from)}–${hourText(hoursCompared.until)}`;
    return {
      day,
      shop,
      dayBefore,
      hoursCompared,
      currency: currencyOf(hours.rows),
      comparedWith: `vs ${dayText(dayBefore)}${during}`,
      openShop: (chosen) => setParams({ shop: chosen }),
    };
  }, [day, shop, dayBefore, newestDay, hours.rows, setParams]);

  if (scope.currency === "mixed") {
    return (
      <Empty kind="no-match" title="Choose a shop">
        These shops sell in different currencies, which can't be added up. Choose one at the top.
      </Empty>
    );
  }
  return (
    <SalesScopeProvider value={scope}>
      <div className={styles.grid}>
        <KeyFigures hours={hours} hoursBefore={sales.hoursBefore} />
        <HourTile hours={hours} hoursBefore={sales.hoursBefore} />
        <ShopTile hours={hours} />
        <ProductTile products={sales.products} />
        <CategoryTile categories={sales.categories} />
        <PaymentTile payments={sales.payments} />
        <LowStockTile stock={sales.lowStock} />
      </div>
    </SalesScopeProvider>
  );
}
