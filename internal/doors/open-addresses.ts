import type { Protocol } from '../protocol/first-bytes.ts';
import type { DoorName } from './door-addresses.ts';

/** Where the broker listens for what, so that whoever comes to the wrong port can be told the right one. */
export class OpenAddresses {
  readonly #open: { door: DoorName; url: string }[] = [];

  /** @param url of a listener that has opened, with its real port. */
  add(door: DoorName, url: string): void {
    this.#open.push({ door, url });
  }

  /** Where a client that came to `door` is served what it speaks; undefined where nowhere. */
  servedAt(protocol: Protocol, door: DoorName): string | undefined {
    if (protocol === 'TLS') return this.#find(door, SECURE);
    // A page of a browser may want a WebSocket; nothing else of HTTP/1 is served.
    if (protocol === 'HTTP/1') return this.#find('frames', WEB_SOCKET);
    return this.#find(DOORS[protocol], PLAIN) ?? this.#find(DOORS[protocol], SECURE);
  }

  #find(door: DoorName, kind: RegExp): string | undefined {
    return this.#open.find((open) => open.door === door && kind.test(open.url))?.url;
  }
}

const PLAIN = /^(?:tcp|grpc|unix):/;
const SECURE = /^(?:tls|grpcs):/;
const WEB_SOCKET = /^wss?:/;

const DOORS: Record<Exclude<Protocol, 'TLS' | 'HTTP/1'>, DoorName> = {
  MQTT: 'frames',
  'tinymq frames': 'frames',
  Kafka: 'kafka',
  'HTTP/2': 'grpc',
};
