import { expect, test } from 'vitest';
import { rateOfConsumer, rateOfProducer } from './kafka-tools.ts';

const PRODUCER = `120000 records sent, 24000.0 records/sec (2.29 MB/sec), 5.1 ms avg latency, 300.0 ms max latency.
300000 records sent, 57142.9 records/sec (5.45 MB/sec), 4.40 ms avg latency, 310.00 ms max latency, 2 ms 50th, 9 ms 95th, 40 ms 99th, 60 ms 99.9th.
`;
const CONSUMER = `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-01-01 00:00:00:000, 2026-01-01 00:00:02:000, 39.2780, 21.8697, 411860, 229320.7127, 838, 958, 41.0000, 429916.4927
`;

test('the rate of ProducerPerformance is the one of all records', () => {
  expect(rateOfProducer(PRODUCER, 300_000)).toBe(57_142.9);
});

test('a ProducerPerformance that sent less is a failure', () => {
  expect(() => rateOfProducer(PRODUCER, 400_000)).toThrow('did not send everything');
});

test('the rate of ConsumerPerformance is without the time to join', () => {
  expect(rateOfConsumer(CONSUMER)).toBe(429_916.4927);
});

test('a ConsumerPerformance without figures is a failure', () => {
  expect(() => rateOfConsumer('Could not find a broker')).toThrow('did not say how fast it was');
});
