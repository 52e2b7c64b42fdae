import { expect, it } from 'vitest';
import { Fates } from '../../observe/fates.ts';
import { Metrics } from '../../observe/metrics.ts';
import { connectionProblems } from './connection-problems.ts';

const noLog = { debug() {}, info() {}, warn() {}, error() {} };

it.each([
  ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', /shows no certificate, which -tls-ca asks for/],
  ['ERR_SSL_SOMETHING_ELSE', /^40DD:error:0A:SSL routines$/],
])('a handshake that failed with %s is logged in words for people', (code, reason) => {
  const lines: object[] = [];
  const metrics = new Metrics();
  const problem = connectionProblems(new Fates(metrics, { ...noLog, warn: (fields) => lines.push(fields) }));
  problem(Object.assign(new Error('40DD:error:0A:SSL routines\n'), { code }), '127.0.0.1', 'handshake');
  expect(lines).toEqual([
    { code: 'tls-handshake-failed', remote: '127.0.0.1', reason: expect.stringMatching(reason) },
  ]);
  expect(metrics.snapshot().connection_problems_total).toBe(1);
});

it.each([
  ['request', 'HPE_INVALID_METHOD', 'malformed-http-request'],
  ['request', 'ECONNRESET', 'connection-lost'],
  ['accept', '', 'connection-lost'],
] as const)('what failed in the phase %s with %s is %s', (during, code, told) => {
  const fates = new Fates(new Metrics(), noLog);
  connectionProblems(fates)(Object.assign(new Error('x'), { code }), undefined, during);
  expect(fates.recent.find({}, 1)).toMatchObject([{ outcome: 'unopened', code: told }]);
});
