"use client";
import { Command } from "cmdk";
import { Search as SearchIcon } from "lucide-react";
import { useRef, useState } from "react";
import { useCommands } from "./commands";
import styles from "./palette.module.css";
import { matches, Results } from "./results";

/** The search in the top bar: rooms, views and shops by name. */
export function Search() {
  const { searchField } = useCommands();
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);

  const leave = () => {
    setOpen(false);
    setText("");
    searchField.current?.blur();
  };
  return (
    <Command
      ref={root}
      className={styles.search}
      label="Search"
      filter={matches}
      onBlur={(event) => {
        if (!root.current?.contains(event.relatedTarget)) setOpen(false);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") leave();
      }}
    >
      <SearchIcon size={15} aria-hidden="true" />
      <Command.Input
        ref={searchField}
        value={text}
        placeholder="Search rooms, views, shops"
        onValueChange={setText}
        onFocus={() => setOpen(true)}
        aria-expanded={isOpen}
      />
      <span className={styles.key} aria-hidden="true">
        /
      </span>
      <div className={styles.dropdown} hidden={!isOpen}>
        <Results onChoose={leave} />
      </div>
    </Command>
  );
}
