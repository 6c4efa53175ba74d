import { percent } from "@/lib/format";
import { Sparkline } from "../charts/sparkline";
import styles from "./figure.module.css";

type Props = {
  value: string;
  detail?: string;
  /** Growth against the day compared with; absent when there is nothing to compare with. */
  change?: number;
  comparedWith: string;
  spark: { now: number[]; before: number[] };
};

/** One number, large, with its change and its course over the day. */
export function Figure({ value, detail, change, comparedWith, spark }: Props) {
  return (
    <>
      <p className={styles.value} data-figure>
        {value}
      </p>
      <p className={styles.line}>
        {change !== undefined && (
          <span className={styles.change} data-direction={change > 0 ? "up" : change < 0 ? "down" : "level"}>
            <span aria-hidden="true">{change > 0 ? "▲" : change < 0 ? "▼" : "■"}</span>{" "}
            {percent(change, true)}
            <span className={styles.against}> {comparedWith}</span>
          </span>
        )}
        {detail && <span className={styles.detail}>{detail}</span>}
      </p>
      <Sparkline now={spark.now} before={spark.before} />
    </>
  );
}
