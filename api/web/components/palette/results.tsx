"use client";
import { Command } from "cmdk";
import { useDestinations } from "@/lib/shell/destinations";
import styles from "./palette.module.css";

/** Every word typed must be part of the entry: nothing turns up that only shares letters with what was typed. */
export function matches(value: string, search: string, keywords: string[] = []): number {
  const text = [value, ...keywords].join(" ").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
    ? 1
    : 0;
}

export type Action = { label: string; keys?: string; run: () => void };

type Props = {
  actions?: Action[];
  /** Called before a choice is carried out. */
  onChoose: () => void;
};

/** The list below a search field: places to go and, in the palette, things to do. */
export function Results({ actions = [], onChoose }: Props) {
  const destinations = useDestinations();
  const choose = (run: () => void) => () => {
    onChoose();
    run();
  };
  return (
    <Command.List className={styles.list} label="Results">
      <Command.Empty className={styles.none}>Nothing is called that. Try another word.</Command.Empty>
      {actions.length > 0 && (
        <Command.Group heading="Actions" className={styles.group}>
          {actions.map(({ label, keys, run }) => (
            <Command.Item key={label} value={label} className={styles.item} onSelect={choose(run)}>
              <span>{label}</span>
              {keys && <kbd>{keys}</kbd>}
            </Command.Item>
          ))}
        </Command.Group>
      )}
      {(["Rooms", "Views", "Shops"] as const).map((group) => (
        <Command.Group key={group} heading={group} className={styles.group}>
          {destinations
            .filter((destination) => destination.group === group)
            .map(({ id, label, hint, go }) => (
              <Command.Item
                key={id}
                value={`${group} ${id}`}
                keywords={[label, hint ?? ""]}
                className={styles.item}
                onSelect={choose(go)}
              >
                <span>{label}</span>
                {hint && <span className={styles.hint}>{hint}</span>}
              </Command.Item>
            ))}
        </Command.Group>
      ))}
    </Command.List>
  );
}
