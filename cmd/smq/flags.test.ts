import { describe, expect, it } from 'vitest';
import { brokerProgram } from '../broker/flags.ts';
import { parseProgram } from '../cli/options/parse-program.ts';
import { brokerLineOfDashmq, dashmqProgram } from '../dashmq/flags.ts';
import { readSmqCommandLine } from './flags.ts';

function smq(line: string, environment: Record<string, string> = {}) {
  const argv = line.split(' ').filter((argument) => argument !== '');
  return readSmqCommandLine(argv, environment, brokerProgram.options);
}

function brokerLine(line: string, environment: Record<string, string> = {}): string {
  const read = smq(line, environment);
  return read.kind === 'run' ? read.broker.join(' ') : read.text;
}

describe('smq', () => {
  it.each<[string, Record<string, string>, string]>([
    ['', {}, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true'],
    ['--port 9000', {}, '-allow-anonymous -grpc tcp://:9000 -grpc-writes=true'],
    ['-port=9000', { PORT: '9001' }, '-allow-anonymous -grpc tcp://:9000 -grpc-writes=true'],
    ['', { PORT: '9001' }, '-allow-anonymous -grpc tcp://:9001 -grpc-writes=true'],
    ['--allow-remote-writes=false', {}, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=false'],
    ['--allow-remote-writes=F', {}, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=false'],
    ['', { ALLOW_REMOTE_WRITES: 'false' }, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=false'],
    ['', { ALLOW_REMOTE_WRITES: '0' }, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true'],
    ['', { ALLOW_REMOTE_WRITES: '' }, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true'],
    [
      '-allow-remote-writes',
      { ALLOW_REMOTE_WRITES: 'false' },
      '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true',
    ],
    ['', { SERVER_ENABLE_MTLS: 'TRUE' }, '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true'],
    [
      '--server-enable-mtls=false',
      { SERVER_ENABLE_MTLS: 'true' },
      '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true',
    ],
    [
      '--enable-mtls --client-cert c --client-key k --ca-cert a',
      {},
      '-allow-anonymous -grpc tcp://:8097 -grpc-writes=true',
    ],
    [
      '--server-enable-mtls --server-cert c --server-key k --server-ca-cert a',
      {},
      '-allow-anonymous -grpc tls://:8097 -tls-cert c -tls-key k -tls-ca a -grpc-writes=true',
    ],
    [
      '',
      { SERVER_ENABLE_MTLS: 'true', SERVER_CERT_FILE: 'c', SERVER_KEY_FILE: 'k', SERVER_CA_CERT_FILE: 'a' },
      '-allow-anonymous -grpc tls://:8097 -tls-cert c -tls-key k -tls-ca a -grpc-writes=true',
    ],
    [
      '-kafka localhost:9092 -quiet --log-level=warn -port 1',
      {},
      '-allow-anonymous -grpc tcp://:1 -grpc-writes=true -kafka localhost:9092 -quiet --log-level=warn',
    ],
    ['-port 1 extra -port 2 --nonsense', {}, '-allow-anonymous -grpc tcp://:1 -grpc-writes=true'],
  ])('%s with %o', (line, environment, broker) => {
    expect(brokerLine(line, environment)).toBe(broker);
  });

  it('knows where the database lies', () => {
    expect(smq('')).toMatchObject({ dbPath: './dbtest.db' });
    expect(smq('', { DB_PATH: '/x' })).toMatchObject({ dbPath: '/x' });
    expect(smq('--dbpath /y', { DB_PATH: '/x' })).toMatchObject({ dbPath: '/y' });
    expect(smq('', { DB_PATH: '' })).toMatchObject({ dbPath: '' });
  });

  it.each([
    ['--nonsense', 'flag provided but not defined: -nonsense'],
    ['--port', 'flag needs an argument: -port'],
    ['--data-dir x', 'flag provided but not defined: -data-dir'],
    ['--kafka', 'flag needs an argument: -kafka'],
    ['--server-enable-mtls=yes', 'invalid boolean value "yes" for -server-enable-mtls: parse error'],
    ['--server-enable-mtls', '-server-enable-mtls needs -server-cert'],
    ['--server-enable-mtls -server-cert c -server-key k', '-server-enable-mtls needs -server-ca-cert'],
    ['--port 99999', 'invalid value "99999" for -port: a port is a number up to 65535'],
    ['--port http', 'invalid value "http" for -port: a port is a number up to 65535'],
    ['---port 1', 'bad flag syntax: ---port'],
    ['--=1', 'bad flag syntax: --=1'],
  ])('%s is wrong usage', (line, message) => {
    const read = smq(line);
    expect(read).toMatchObject({ kind: 'wrong', text: expect.stringMatching(/Usage of smq:/) });
    expect(brokerLine(line).split('\n')[0]).toBe(message);
  });

  it.each(['--help', '-h', '-port 1 -help'])('%s shows the flags', (line) => {
    const read = smq(line);
    expect(read.kind).toBe('help');
    expect(brokerLine(line)).toContain('  -port string\n    \tport to listen on (default "8097") [PORT]\n');
    expect(brokerLine(line)).toContain('  -server-enable-mtls\n');
  });
});

describe('dashmq', () => {
  it.each([
    ['', '-allow-anonymous -kafka tcp://0.0.0.0:9092 -data-dir ./data -log-level info'],
    ['-host :: -port 9093', '-allow-anonymous -kafka tcp://[::]:9093 -data-dir ./data -log-level info'],
    [
      '-data-dir /x -log-level debug',
      '-allow-anonymous -kafka tcp://0.0.0.0:9092 -data-dir /x -log-level debug',
    ],
    ['server.properties', 'server.properties -allow-anonymous -log-level info'],
    [
      '-kafka-partitions 3 -memory',
      '-allow-anonymous -kafka tcp://0.0.0.0:9092 -log-level info -kafka-partitions=3 -memory=true',
    ],
    [
      '-host localhost -tls-cert c -tls-key k',
      '-allow-anonymous -kafka localhost:9092 -data-dir ./data -log-level info -tls-cert=c -tls-key=k',
    ],
    [
      '-kafka :1 -kafka :2 -allow-anonymous=false',
      '-allow-anonymous -data-dir ./data -log-level info -allow-anonymous=false -kafka=:1 -kafka=:2',
    ],
    [
      'server.properties -port 1',
      'server.properties -allow-anonymous -kafka tcp://0.0.0.0:1 -log-level info',
    ],
  ])('%s', async (line, broker) => {
    const argv = line.split(' ').filter((argument) => argument !== '');
    const { values, texts, operands } = await parseProgram(dashmqProgram, argv, {}, '1');
    expect(brokerLineOfDashmq(values, texts, operands).join(' ')).toBe(broker);
  });
});
