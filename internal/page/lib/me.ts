import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Me } from '../api/types.ts';

/** Who is logged in, for everything below. */
export const MeContext = createContext<Me>({ may: {} });

/** Whether whoever looks at the page may change the broker. What he may not do is not offered. */
export function useMayAdmin(): boolean {
  return useContext(MeContext).may.admin === true;
}

/** Asks the broker again who we are, and what we may do: a change of users or rules may have been about us. */
export const ReloadMeContext = createContext<() => void>(() => {});

export function useReloadMe(): () => void {
  return useContext(ReloadMeContext);
}
