import { expect, test } from 'vitest';
import { cases } from './cases.ts';
import { optionsOf } from './options.ts';

test('without variables every case is run', () => {
  expect(optionsOf({}).cases).toEqual(cases);
  expect(optionsOf({})).toMatchObject({ rounds: 3, seconds: 0.6 });
});

test('FULL takes longer; ROUNDS and SECONDS win over it', () => {
  expect(optionsOf({ FULL: '1' })).toMatchObject({ rounds: 7, seconds: 3 });
  expect(optionsOf({ FULL: '1', ROUNDS: '2', SECONDS: '0.5' })).toMatchObject({ rounds: 2, seconds: 0.5 });
});

test('cases and peers are chosen by name, in the order given', () => {
  const options = optionsOf({ CASES: 'idle, 1-1', PEERS: 'nats' });
  expect(options.cases.map(({ name }) => name)).toEqual(['idle', '1-1']);
  expect(options.peers.map(({ name }) => name)).toEqual(['nats']);
});

test('a star stands for the rest of names', () => {
  const { cases: chosen } = optionsOf({ CASES: 'kafka-raw-fetch-*,idle' });
  expect(chosen.map(({ name }) => name)).toEqual([
    'kafka-raw-fetch-tail-100',
    'kafka-raw-fetch-disk-100',
    'kafka-raw-fetch-tail-1k',
    'kafka-raw-fetch-disk-1k',
    'idle',
  ]);
  expect(() => optionsOf({ CASES: 'none-*' })).toThrow('CASES: there is no none-*');
});

test('a wrong value is named, with what is possible', () => {
  expect(() => optionsOf({ CASES: '1-2' })).toThrow(/CASES: there is no 1-2; there are 1-1, 1-10/);
  expect(() => optionsOf({ PEERS: 'rabbit' })).toThrow(/PEERS: there is no rabbit; there are tinymq/);
  expect(() => optionsOf({ ROUNDS: 'many' })).toThrow('ROUNDS is a number above 0, not many');
  expect(() => optionsOf({ SECONDS: '0' })).toThrow('SECONDS is a number above 0, not 0');
});
