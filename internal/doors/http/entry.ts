import type { DoorEntry } from '../door.ts';
import { type HttpOptions, httpOptionKinds } from './options.ts';

/** Who does not open it does not wait for its code, nor for that of its listeners. */
const load = async () => {
  const [door] = await Promise.all([import('./door.ts'), import('../../transport/http-server.ts')]);
  return door;
};

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
  load,
  open: async (parts, options) => new (await load()).HttpDoor(parts, options),
};
