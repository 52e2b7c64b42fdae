import { describe, expect, it } from 'vitest';
import { parseProgram } from './cli/options/parse-program.ts';
import { publisherProgram } from './publisher/flags.ts';
import { subscriberProgram } from './subscriber/flags.ts';

const publisher = async (line: string) =>
  (await parseProgram(publisherProgram, line.split(' '), {}, '1')).values;
const subscriber = async (line: string) =>
  (await parseProgram(subscriberProgram, line.split(' '), {}, '1')).values;

describe('a command line of mosquitto_pub', () => {
  it('means the same to publisher', async () => {
    expect(
      await publisher('-h example -p 1884 -t a/b -m hot -i me -u fred -P secret -k 5 -d --quiet'),
    ).toMatchObject({
      ...{ host: 'example', port: 1884, topic: 'a/b', message: 'hot', id: 'me' },
      ...{ user: 'fred', password: 'secret', 'keep-alive': 5_000, debug: true, quiet: true },
    });
    expect(
      await publisher('-t a -f x --repeat 3 --repeat-delay 0.5 --cafile ca --cert c --key k --insecure'),
    ).toMatchObject({
      ...{ file: 'x', count: 3, interval: 500 },
      ...{ 'tls-ca': 'ca', 'tls-cert': 'c', 'tls-key': 'k', 'tls-insecure': true },
    });
    expect((await publisher('-t a -l'))['stdin-lines']).toBe(true);
    expect((await publisher('-t a -s')).stdin).toBe(true);
    expect(await publisher('-t a -n -I pre')).toMatchObject({ null: true, 'id-prefix': 'pre' });
  });
});

describe('a command line of mosquitto_sub', () => {
  it('means the same to subscriber', async () => {
    expect(await subscriber('-t a/# -t b -T a/x -C 2 -W 5 -v -N')).toMatchObject({
      ...{ topic: ['a/#', 'b'], except: ['a/x'], count: 2, 'stop-after': 5_000 },
      ...{ verbose: true, 'omit-newline': true },
    });
    expect((await subscriber('-t a -F %t:%p'))['mosquitto-format']).toBe('%t:%p');
  });

  it('is told what to do instead where it means nothing here', async () => {
    await expect(subscriber('-t a -V mqttv5')).rejects.toThrow(
      '-V is not a flag here: the programs speak the frames',
    );
    await expect(subscriber('-t a --proxy socks5h://x')).rejects.toThrow('-proxy is not a flag here');
    await expect(subscriber('-L mqtt://x/y')).rejects.toThrow('say -address URL and -topic');
  });
});

// A letter that asks for the host there asked for the help here, and nobody could say a host.
describe('-h', () => {
  it.each(['-h', '--help', '-t a -h', '-h -t a'])(
    'asks for the help where no host follows it: %s',
    async (line) => {
      await expect(subscriber(line)).rejects.toThrow('Usage: subscriber');
    },
  );

  it('names the host where one does', async () => {
    expect((await subscriber('-h broker -t a')).host).toBe('broker');
    expect((await subscriber('-h=broker -t a')).host).toBe('broker');
  });
});

// Kubernetes sets TINYMQ_PORT to a URL for every container beside a service that is called tinymq.
it('the variables of a service are no port', async () => {
  const environment = { TINYMQ_PORT: 'tcp://10.0.0.1:1883', TINYMQ_SERVICE_HOST: '10.0.0.1' };
  const { values } = await parseProgram(subscriberProgram, ['-t', 'a'], environment, '1');
  expect([values.host, values.port]).toEqual([undefined, undefined]);
});
