import { useEffect, useState } from 'preact/hooks';

/** A value once it has stayed the same for a while, so that not each letter asks the broker. */
export function useLater<T>(value: T, ms = 250): T {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return later;
}
