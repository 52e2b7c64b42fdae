import { expect, it } from 'vitest';
import { shownAddress } from './shown-address.ts';

it.each([
  ['tcp://localhost:1883', 'tcp://localhost:1883'],
  ['localhost:1883', 'localhost:1883'],
  ['[::1]:1883', '[::1]:1883'],
  ['/tmp/broker.sock', '/tmp/broker.sock'],
  ['unix:///tmp/of@me/broker.sock', 'unix:///tmp/of@me/broker.sock'],
  ['tcp://bob@host', 'tcp://bob@host'],
])('is as it was written where there is no password: %s', (address, shown) => {
  expect(shownAddress(address)).toBe(shown);
});

it.each([
  ['mqtt://bob:secret@host:1883', 'mqtt://bob:***@host:1883'],
  ['MQTT://bob:secret@host', 'MQTT://bob:***@host'],
  ['bob:secret@host:1883', 'bob:***@host:1883'],
  ['tcp://:secret@host', 'tcp://:***@host'],
  ['http+x://bob:secret@host', 'http+x://bob:***@host'],
  ['tcp://bob:sec@ret/of:mine@host', 'tcp://bob:***@host'],
  ['tcp://bob:sec\nret@host', 'tcp://bob:***@host'],
  ['tcp://bob:sec?ret@host', 'tcp://bob:***@host'],
  ['ws://host/mqtt?token=secret', 'ws://host/mqtt?***'],
  ['mqtt://bob:secret@one,two:secret@three', 'mqtt://bob:***@three'],
])('never has the password: %s', (address, shown) => {
  expect(shownAddress(address)).toBe(shown);
});
