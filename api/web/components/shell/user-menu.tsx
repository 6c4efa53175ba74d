"use client";
import { LogOut } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { signOut } from "@/lib/api/request";
import { useSession } from "@/lib/api/session";
import { THEMES, useTheme } from "@/lib/shell/theme";
import styles from "./user-menu.module.css";

function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => word?.[0] ?? "")
    .join("")
    .toUpperCase();
}

export function UserMenu() {
  const user = useSession()?.user;
  const [isOpen, setOpen] = useState(false);
  const [theme, setTheme] = useTheme();
  const root = useRef<HTMLDivElement>(null);
  const menuId = useId();

  useEffect(() => {
    if (!isOpen) return;
    const onPointer = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      root.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", onPointer);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
      document.removeEventListener("keydown", onKey);
    };
  }, [isOpen]);

  if (!user) return null;
  return (
    <div ref={root} className={styles.root}>
      <button
        type="button"
        className={styles.avatar}
        aria-label={`${user.name}: account and theme`}
        aria-expanded={isOpen}
        aria-controls={menuId}
        onClick={() => setOpen(!isOpen)}
      >
        {initials(user.name)}
      </button>
      <div id={menuId} className={styles.menu} hidden={!isOpen}>
        <div className={styles.who}>
          <strong>{user.name}</strong>
          <span>{user.email}</span>
          {user.roles.length > 0 && <span>{user.roles.join(", ")}</span>}
        </div>
        <fieldset className={styles.themes}>
          <legend>Theme</legend>
          {THEMES.map((choice) => (
            <label key={choice}>
              <input type="radio" name="theme" checked={theme === choice} onChange={() => setTheme(choice)} />
              <span>{choice}</span>
            </label>
          ))}
        </fieldset>
        <button type="button" className={styles.item} onClick={() => void signOut()}>
          <LogOut size={15} aria-hidden="true" />
          Sign out
        </button>
      </div>
    </div>
  );
}
