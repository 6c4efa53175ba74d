"use client";
import { X } from "lucide-react";
import { useEffect, useRef } from "react";
import { type Shortcut, useSingleKeys } from "@/lib/shell/shortcuts";
import styles from "./palette.module.css";

type Props = { isOpen: boolean; onClose: () => void; shortcuts: Shortcut[] };

function keyNames(keys: string): string[] {
  const mod = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
  return keys
    .split(/[ +]/)
    .map((key) => ({ mod, escape: "Esc" })[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}

export function ShortcutHelp({ isOpen, onClose, shortcuts }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [singleKeys, setSingleKeys] = useSingleKeys();

  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);

  return (
    <dialog ref={dialog} className={styles.help} aria-labelledby="shortcuts-title" onClose={onClose}>
      {isOpen && (
        <>
          <div className={styles.helpHead}>
            <h2 id="shortcuts-title">Keyboard shortcuts</h2>
            <button type="button" aria-label="Close" onClick={onClose}>
              <X size={15} aria-hidden="true" />
            </button>
          </div>
          <dl className={styles.keys}>
            {shortcuts.map(({ keys, label }) => (
              <div key={keys}>
                <dt>{label}</dt>
                <dd>
                  {keyNames(keys).map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dd>
              </div>
            ))}
          </dl>
          <label className={styles.single}>
            <input
              type="checkbox"
              checked={singleKeys}
              onChange={(event) => setSingleKeys(event.target.checked)}
            />
            Shortcuts of a single key, without Ctrl or ⌘
          </label>
        </>
      )}
    </dialog>
  );
}
