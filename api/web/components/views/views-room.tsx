"use client";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { count } from "@/lib/format";
import { rowsAddress } from "@/lib/shell/address";
import { useCatalogue } from "@/lib/shell/catalogue";
import { Empty } from "../empty";
import { DataTable } from "../table/data-table";
import { ViewRows } from "./view-rows";
import styles from "./views-room.module.css";

/** All views, or the one the address names. */
export function ViewsRoom() {
  const { views } = useCatalogue();
  const name = useSearchParams().get("name");
  if (views.problem && !views.value) {
    return (
      <Empty
        kind={views.problem.isRefusal ? "not-allowed" : "failed"}
        title={
          views.problem.isRefusal ? "You may not see the views" : "The views can't be listed at the moment"
        }
      >
        {views.problem.message}
      </Empty>
    );
  }
  if (!views.value) return <p className={styles.waiting}>Reading the views…</p>;
  if (!name) return <ViewList />;
  const view = views.value.find((candidate) => candidate.name === name);
  if (!view) {
    return (
      <Empty kind="no-match" title={`There is no view called ${name}`}>
        <Link href="/views">All views</Link>
      </Empty>
    );
  }
  return <ViewRows key={view.name} view={view} />;
}

function ViewList() {
  const { views } = useCatalogue();
  const list = views.value ?? [];
  return (
    <div className={styles.room}>
      <div>
        <h1>Views</h1>
        <p className={styles.lead}>
          Every table the engine keeps up to date. Live ones can be read here; the others feed them or the
          marts.
        </p>
      </div>
      {list.length === 0 ? (
        <Empty kind="no-data" title="No view is defined" />
      ) : (
        <div className={styles.card}>
          <DataTable
            caption="Views"
            rows={list}
            rowKey={({ name }) => name}
            columns={[
              {
                id: "name",
                title: "Name",
                cell: ({ name, serve }) =>
                  serve === "live" ? (
                    <Link href={rowsAddress(name)} className={styles.name}>
                      {name}
                    </Link>
                  ) : (
                    <span className={styles.name}>{name}</span>
                  ),
              },
              {
                id: "title",
                title: "Title and grain",
                cell: ({ title, grain }) => (
                  <>
                    {title}
                    <span className={styles.grain}>{grain}</span>
                  </>
                ),
              },
              { id: "key", title: "Key", cell: ({ key }) => key.join(", ") },
              { id: "serve", title: "Served", cell: ({ serve }) => serve },
              { id: "mart", title: "Mart", cell: ({ mart }) => mart },
              {
                id: "rows",
                title: "Rows",
                isNumeric: true,
                cell: ({ rows }) => (typeof rows === "number" ? count(rows) : "–"),
              },
              { id: "position", title: "Position", isNumeric: true, cell: ({ position }) => count(position) },
            ]}
          />
        </div>
      )}
    </div>
  );
}
