import type { DoorEntry } from '../door.ts';
import { MqttDoor } from './door.ts';

/** The door of MQTT's clients, who come to the port of the frames. */
export const mqttEntry: DoorEntry = {
  name: 'mqtt',
  title: 'MQTT',
  clients: 'MQTT',
  page: 'mqtt.md',
  serves: ['MQTT'],
  listening: { sharesPortOf: 'frames', recognises: ([first]) => isMqtt(first!), clientUrl },
  needsLogs: false,
  authenticates: true,
  async open(parts) {
    return new MqttDoor({ ...parts, logs: parts.kept?.logs });
  },
};

const CONNECT = 1;
const TYPE_SHIFT = 4;
/** First bytes of the other packets, with the flags that each has (MQTT 5, sections 2.1.2 and 2.1.3). */
const OTHER_PACKETS: ReadonlySet<number> = new Set([
  ...[0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0],
  // PUBLISH, whose flags say something.
  ...Array.from({ length: 16 }, (_, flags) => 0x30 | flags),
]);

/** What cannot begin a frame is MQTT where it looks like that, even if it is refused there. */
function isMqtt(first: number): boolean {
  return first >>> TYPE_SHIFT === CONNECT || OTHER_PACKETS.has(first);
}

function clientUrl(url: string): string | undefined {
  if (url.startsWith('unix:')) return undefined;
  const dialled = url.replace(/:\/\/(0\.0\.0\.0|\[::\])?(?=:)/, '://localhost');
  if (/^wss?:/.test(url)) return `${dialled}/mqtt`;
  return dialled.replace(/^tcp:/, 'mqtt:').replace(/^tls:/, 'mqtts:');
}
