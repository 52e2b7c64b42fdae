import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

/** Whether the broker is one of a cluster, for everything below; undefined until that is known. */
export const ClusterContext = createContext<boolean | undefined>(undefined);

/** Undefined also where whoever looks at the page may not see the broker as a whole. */
export function useIsCluster(): boolean | undefined {
  return useContext(ClusterContext);
}
