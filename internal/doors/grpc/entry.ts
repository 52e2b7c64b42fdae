import type { DoorEntry } from '../door.ts';
import { type GrpcOptions, grpcOptionKinds } from './options.ts';

/** A broker that does not open it does not load its code. */
const load = () => import('./open.ts');

export const grpcEntry: DoorEntry<GrpcOptions> = {
  name: 'grpc',
  title: 'gRPC',
  clients: 'SMQ',
  page: 'grpc.md',
  serves: ['HTTP/2'],
  listening: {
    defaultUrl: 'tcp://localhost:8097',
    schemes: { tcp: 'tcp', tls: 'tls', unix: 'unix', grpc: 'tcp', grpcs: 'tls' },
    defaultPorts: { tcp: 8097, tls: 8097 },
  },
  options: grpcOptionKinds,
  needsLogs: true,
  authenticates: true,
  load,
  open: async (parts, options) => (await load()).openGrpc(parts, options),
};
