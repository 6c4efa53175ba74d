import { createContext, use, useState } from "react";

/** Whether the whole room is paused. */
export const RoomPaused = createContext(false);

/** A value that stands still while it is paused, here or for the whole room. */
export function useHeld<T>(value: T): { shown: T; isHeld: boolean; toggle: () => void } {
  const isRoomPaused = use(RoomPaused);
  const [isOwnPaused, setOwnPaused] = useState(false);
  const [held, setHeld] = useState<{ value: T }>();
  const isHeld = isRoomPaused || isOwnPaused;
  if (isHeld && !held) setHeld({ value });
  if (!isHeld && held) setHeld(undefined);
  return {
    shown: isHeld && held ? held.value : value,
    isHeld,
    toggle: () => setOwnPaused(!isOwnPaused),
  };
}
