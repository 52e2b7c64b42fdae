import { addresses, type Kinds, list, objectOf } from '../../lib/option-kinds.ts';

/** How the HTTP door is opened. Everything but where may be left out. */
export interface HttpOptions {
  /** Where to listen: `http://host:port`, `https://host:port` or `unix:///path`. Port 0 takes a free one. */
  listen: readonly string[];
  /** Globs of names that requests without TLS may use for the broker, beside addresses and names without dots. */
  hosts?: readonly string[];
  /** Globs of the origins whose web pages may use the door. Default: pages of the door itself only. */
  origins?: readonly string[];
}

/** The same for those who have no compiler. */
export const httpOptionKinds = objectOf({
  listen: addresses,
  hosts: list,
  origins: list,
} satisfies Kinds<HttpOptions>);
