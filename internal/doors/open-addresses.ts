import type { Protocol } from '../protocol/first-bytes.ts';

interface OpenAddress {
  door: string;
  serves: readonly Protocol[];
  url: string;
}

/** Where the broker listens for what, so that whoever comes to the wrong port can be told the right one. */
export class OpenAddresses {
  readonly #open: OpenAddress[] = [];

  /** All of them, in the order in which they opened. */
  get all(): readonly Pick<OpenAddress, 'door' | 'url'>[] {
    return this.#open.map(({ door, url }) => ({ door, url }));
  }

  /**
   * @param serves what is spoken there, by whichever doors share the address.
   * @param url of a listener that has opened, with its real port.
   */
  add(door: string, serves: readonly Protocol[], url: string): void {
    this.#open.push({ door, serves, url });
  }

  /** Where a client that came to `door` is served what it speaks; undefined where nowhere. */
  servedAt(protocol: Protocol, door: string): string | undefined {
    if (protocol === 'TLS') return this.#find(SECURE, (open) => open.door === door);
    // A page of a browser may want a WebSocket; nothing else of HTTP/1 is served.
    if (protocol === 'HTTP/1') return this.#find(WEB_SOCKET, () => true);
    const serves = (open: OpenAddress) => open.serves.includes(protocol);
    return this.#find(PLAIN, serves) ?? this.#find(SECURE, serves);
  }

  #find(kind: RegExp, isMeant: (open: OpenAddress) => boolean): string | undefined {
    return this.#open.find((open) => kind.test(open.url) && isMeant(open))?.url;
  }
}

const PLAIN = /^(?:tcp|grpc|unix):/;
const SECURE = /^(?:tls|grpcs):/;
const WEB_SOCKET = /^wss?:/;
