import type { DoorEntry } from '../door.ts';
import { type HttpOptions, httpOptionKinds } from './options.ts';

export const httpEntry: DoorEntry<HttpOptions> = {
  name: 'http',
  title: 'HTTP',
  clients: 'HTTP',
  page: 'http.md',
  serves: ['HTTP/1'],
  listening: {
    defaultUrl: 'http://localhost:8080',
    schemes: { http: 'tcp', https: 'tls', tcp: 'tcp', tls: 'tls', unix: 'unix' },
    defaultPorts: { tcp: 8080, tls: 8443 },
  },
  options: httpOptionKinds,
  needsLogs: false,
  authenticates: true,
  // Who does not open it does not wait for its code.
  open: async (parts, options) => new (await import('./door.ts')).HttpDoor(parts, options),
};
