import { expect, it } from 'vitest';
import { allowAll } from '../access/guard.ts';
import { refusingFilters } from '../access/refused-filters.ts';
import { parseEndpoint } from '../transport/endpoint.ts';
import { DOORS, type DoorName } from './all.ts';
import { type Checks, isOpenToAll } from './open-to-all.ts';

const nobody: Checks = {
  ...{ guard: undefined, authenticates: false, hasUsers: false },
  asksForCertificates: false,
};
const guarded: Checks = { ...nobody, guard: { ...allowAll, mayConnect: () => 'no' } };
const certified: Checks = { ...nobody, asksForCertificates: true };
/** It looks at subscriptions only. */
const refusing: Checks = { ...nobody, guard: refusingFilters(['a']) };

it.each<[DoorName, string, Checks]>([
  ['frames', 'tcp://:1883', nobody],
  ['frames', 'tcp://0.0.0.0:1883', nobody],
  ['frames', 'ws://[::]:8083', nobody],
  ['frames', 'tls://broker.example:8883', nobody],
  ['frames', 'tcp://192.168.0.2:1883', refusing],
  ['frames', 'tcp://:1883', certified],
  ['grpc', 'tls://:8097', nobody],
  ['frames', 'tcp://1270.example:1', nobody],
  ['frames', 'tcp://[2001:db8::1]:1', nobody],
  ['frames', 'tcp://172.17.0.1:1', nobody],
  ['frames', 'tcp://169.254.1.1:1', nobody],
  ['frames', 'tcp://[::ffff:10.0.0.1]:1', nobody],
  ['frames', 'tcp://no-such-host.invalid:1', nobody],
  ['frames', 'tcp://0:1', nobody],
])('%s at %s is', async (door, url, checks) => {
  expect(await isOpenToAll(entryOf(door), parseEndpoint(url), checks)).toBe(true);
});

it.each<[DoorName, string, Checks]>([
  ['frames', 'tcp://localhost:1883', nobody],
  ['kafka', 'tcp://127.0.0.1:9092', nobody],
  ['frames', 'tcp://127.1.2.3:1883', nobody],
  ['grpc', 'tcp://[::1]:8097', nobody],
  ['frames', 'tcp://[0:0:0:0:0:0:0:1]:1883', nobody],
  ['frames', 'unix:///tmp/broker.sock', nobody],
  ['kafka', 'tls://:9093', certified],
  ['frames', 'wss://:443', certified],
  ['frames', 'tcp://:1883', guarded],
  ['grpc', 'tcp://:8097', guarded],
  ['kafka', 'tcp://:9092', guarded],
  ['frames', 'tcp://:1883', { ...nobody, authenticates: true }],
  ['frames', 'tcp://[::ffff:127.0.0.1]:1', nobody],
  ['frames', 'tcp://127.1:1', nobody],
  ['grpc', 'tcp://:8097', { ...nobody, authenticates: true }],
  ['grpc', 'tcp://:8097', { ...nobody, hasUsers: true }],
])('%s at %s is not', async (door, url, checks) => {
  expect(await isOpenToAll(entryOf(door), parseEndpoint(url), checks)).toBe(false);
});

function entryOf(door: DoorName) {
  return DOORS.find(({ name }) => name === door)!;
}
