"use client";
/** The keyboard's side of the shell: palette, shortcuts, search focus. */
import { Command } from "cmdk";
import { useRouter } from "next/navigation";
import { createContext, type ReactNode, type RefObject, use, useMemo, useRef, useState } from "react";
import { signOut } from "@/lib/api/request";
import { ROOMS } from "@/lib/shell/rooms";
import { type Shortcut, useShortcuts } from "@/lib/shell/shortcuts";
import { THEMES, useTheme } from "@/lib/shell/theme";
import styles from "./palette.module.css";
import { matches, Results } from "./results";
import { ShortcutHelp } from "./shortcut-help";

type CommandsContext = { searchField: RefObject<HTMLInputElement | null> };

const Context = createContext<CommandsContext | undefined>(undefined);

export function useCommands(): CommandsContext {
  const context = use(Context);
  if (!context) throw new Error("useCommands is used outside the shell");
  return context;
}

type Props = { toggleNav: () => void; togglePanel: () => void; closeDrawer: () => void; children: ReactNode };

export function Commands({ toggleNav, togglePanel, closeDrawer, children }: Props) {
  const router = useRouter();
  const [, setTheme] = useTheme();
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const searchField = useRef<HTMLInputElement>(null);

  const shortcuts: Shortcut[] = [
    { keys: "mod+k", label: "Open the command palette", run: () => setPaletteOpen(!isPaletteOpen) },
    { keys: "/", label: "Search", run: () => searchField.current?.focus() },
    { keys: "?", label: "Show these shortcuts", run: () => setHelpOpen(true) },
    { keys: "escape", label: "Close what is open", run: closeDrawer },
    { keys: "[", label: "Show or hide the navigation", run: toggleNav },
    { keys: "]", label: "Show or hide the details", run: togglePanel },
    ...ROOMS.map(({ keys, title, path }) => ({
      keys,
      label: `Go to ${title}`,
      run: () => router.push(path),
    })),
  ];
  useShortcuts(shortcuts);

  const actions = [
    ...THEMES.map((theme) => ({ label: `Theme: ${theme}`, run: () => setTheme(theme) })),
    { label: "Show or hide the navigation", keys: "[", run: toggleNav },
    { label: "Show or hide the details", keys: "]", run: togglePanel },
    { label: "Keyboard shortcuts", keys: "?", run: () => setHelpOpen(true) },
    { label: "Sign out", run: () => void signOut() },
  ];

  return (
    <Context value={useMemo(() => ({ searchField }), [])}>
      {children}
      <Command.Dialog
        open={isPaletteOpen}
        onOpenChange={setPaletteOpen}
        label="Command palette"
        filter={matches}
        overlayClassName={styles.overlay}
        contentClassName={styles.dialog}
      >
        <Command.Input placeholder="Type a command or a place" />
        <Results actions={actions} onChoose={() => setPaletteOpen(false)} />
      </Command.Dialog>
      <ShortcutHelp isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} shortcuts={shortcuts} />
    </Context>
  );
}
