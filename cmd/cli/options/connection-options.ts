import { credentialOptions } from './credential-options.ts';
import { choice, duration, integer, text, toggle } from './option.ts';

/** The networks that the programs know. */
export const NETWORKS = ['tcp', 'tls', 'unix', 'ws', 'wss'] as const;

export const DAY_MS = 24 * 3_600_000;
/** The runtime's timers hold no more than 2^31 milliseconds, a little less than 25 days. */
export const LONGEST_TIMER_MS = 24 * DAY_MS;

/** How publisher and subscriber reach their broker. */
export const connectionOptions = {
  network: choice(NETWORKS, {
    group: 'Connection',
    default: 'tcp',
    help: 'how to reach the broker, unless -address is a URL',
  }),
  address: text({
    group: 'Connection',
    placeholder: 'HOST:PORT|PATH|URL',
    help: 'where the broker is; unless given localhost:1883, or /tmp/broker.sock if nothing listens there',
  }),
  host: text({
    group: 'Connection',
    placeholder: 'HOST',
    // Kubernetes sets TINYMQ_PORT and its like for containers beside a service of this name.
    variable: 'TINYMQ_BROKER_HOST',
    aliases: ['h'],
    help: 'the host of the broker, instead of -address; -h alone is this help',
  }),
  port: integer(
    { min: 1, max: 65_535 },
    {
      group: 'Connection',
      variable: 'TINYMQ_BROKER_PORT',
      aliases: ['p'],
      help: 'the port of the broker, instead of -address; 1883, or 8883 with TLS, unless given',
    },
  ),
  id: text({
    group: 'Connection',
    placeholder: 'ID',
    aliases: ['i'],
    help: 'the client id; a random one unless given',
  }),
  'id-prefix': text({
    group: 'Connection',
    placeholder: 'TEXT',
    aliases: ['I'],
    help: 'what the client id begins with, instead of -id; the number of the process follows',
  }),
  ...credentialOptions,
  user: { ...credentialOptions.user, aliases: ['u'] },
  password: text({
    group: 'Connection',
    variable: 'TINYMQ_PASSWORD',
    aliases: ['P'],
    help: 'the password of -user; others on this machine may see it on the command line for a moment',
  }),
  'tls-ca': text({
    group: 'Connection',
    placeholder: 'FILE',
    borrowed: ['cafile'],
    help: 'the CA that signed the certificate of the broker (PEM); with -network tcp this means TLS',
  }),
  'tls-cert': text({
    group: 'Connection',
    placeholder: 'FILE',
    borrowed: ['cert'],
    help: "the client's certificate, for mutual TLS (PEM)",
  }),
  'tls-key': text({
    group: 'Connection',
    placeholder: 'FILE',
    borrowed: ['key'],
    help: "the key of the client's certificate (PEM)",
  }),
  'tls-server-name': text({
    group: 'Connection',
    placeholder: 'NAME',
    help: 'the name in the certificate of the broker, if it is not the host',
  }),
  'tls-insecure': toggle({
    group: 'Connection',
    borrowed: ['insecure'],
    help: 'use TLS without verifying the certificate of the broker; for tests only',
  }),
  'connect-timeout': duration(
    { min: 1, max: DAY_MS },
    { group: 'Connection', default: '10', help: 'how long one attempt to connect may take' },
  ),
  'keep-alive': duration(
    { min: 0, max: DAY_MS },
    {
      group: 'Connection',
      default: '30',
      aliases: ['k'],
      help: 'ask the broker for a sign of life after this long without one; 0: never',
    },
  ),
  'will-topic': text({
    group: 'Connection',
    placeholder: 'TOPIC',
    help: 'where a message is published if this program is lost: killed, or cut off from the broker',
  }),
  'will-message': text({
    group: 'Connection',
    placeholder: 'TEXT',
    borrowed: ['will-payload'],
    help: 'that message; empty unless given',
  }),
  'will-qos': integer({ min: 0, max: 1 }, { group: 'Connection', help: '1: it waits for sessions too' }),
  'will-retain': toggle({ group: 'Connection', help: 'its topic remembers it for later subscribers' }),
  debug: toggle({
    group: 'Connection',
    aliases: ['d'],
    help: 'tell what the connection does, on the standard error',
  }),
};
