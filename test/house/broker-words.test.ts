import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const FILES = globSync('internal/broker/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'));

/** Names and steps of protocols. What a door needs beside a message goes through `Outlet` in words of no protocol. */
const WORDS =
  /\b(mqtt\w*|kafka|http2?|grpc|smq|websocket|frames?|packets?|packet ?ids?|receive ?maximum|subscription ?identifiers?|conn(?:ect|ack)|pub(?:lish|ack|rec|rel|comp)|(?:un)?sub(?:scribe|ack)|pingre(?:q|sp))\b/i;
/** These are commands of protocols, and plain verbs in small letters. */
const VERBS = /\b(?:connect|publish|(?:un)?subscribe)\b|'packet-too-large'/;

// The sessions counted packet identifiers to 65,535, and knew PUBREC from PUBCOMP. A door of another protocol with
// acknowledgements would have had to speak MQTT to them.
it('the broker names no protocol', () => {
  expect(FILES.length).toBeGreaterThan(20);
  const found = FILES.flatMap((path) => {
    const lines = readFileSync(root + path, 'utf8').split('\n');
    return lines.flatMap((line, index) => {
      const word = WORDS.exec(line.replaceAll(new RegExp(VERBS, 'g'), ''))?.[0];
      return word === undefined ? [] : [`${path}:${index + 1} ${word}`];
    });
  });
  expect(found).toEqual([]);
});
