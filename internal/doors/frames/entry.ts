import type { DoorEntry } from '../door.ts';
import { FramesDoor } from './door.ts';

/** The door of tinymq's own clients. Its option is `listen`, and its port is that of MQTT too. */
export const framesEntry: DoorEntry = {
  name: 'frames',
  title: 'frames',
  clients: 'tinymq',
  page: 'frames.md',
  serves: ['tinymq frames'],
  listening: {
    defaultUrl: 'tcp://localhost:1883',
    schemes: {
      tcp: 'tcp',
      tls: 'tls',
      unix: 'unix',
      ws: 'ws',
      wss: 'wss',
      mqtt: 'tcp',
      mqtts: 'tls',
      ssl: 'tls',
    },
    defaultPorts: { tcp: 1883, tls: 8883, ws: 80, wss: 443 },
  },
  needsLogs: false,
  authenticates: true,
  async open(parts) {
    return new FramesDoor({ ...parts, logs: parts.kept?.logs });
  },
};
