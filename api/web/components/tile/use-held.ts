import { createContext, use, useState } from "react";

/** Whether the whole room is paused. */
export const RoomPaused = createContext(false);

type Held<T> = { shown: T; isHeld: boolean; toggle: () => void };

/**
 * A value that stands still while it is paused, here or for the whole room. `key` names what the value is of: under
 * another key, the first value that is ready is held instead.
 */
export function useHeld<T>(value: T, key: string, isReady: boolean): Held<T> {
  const isRoomPaused = use(RoomPaused);
  const [isOwnPaused, setOwnPaused] = useState(false);
  const [held, setHeld] = useState<{ key: string; value: T }>();
  const isHeld = isRoomPaused || isOwnPaused;
  if (isHeld && isReady && held?.key !== key) setHeld({ key, value });
  if (!isHeld && held) setHeld(undefined);
  return {
    shown: isHeld && held?.key === key ? held.value : value,
    isHeld,
    toggle: () => setOwnPaused(!isOwnPaused),
  };
}
