import { connectionOptions, DAY_MS } from '../cli/options/connection-options.ts';
import { credentialOptions } from '../cli/options/credential-options.ts';
import { duration, text, toggle } from '../cli/options/option.ts';

const group = 'Connection';

/** How the commands of `tinymq` reach Kafka. Their variables are the same for all commands. */
export const kafkaOptions = {
  address: text({
    group,
    placeholder: 'HOST:PORT|URL',
    default: 'localhost:9092',
    aliases: ['b'],
    variable: 'TINYMQ_KAFKA_ADDRESS',
    help: "the broker's Kafka address, or several separated by commas; kafka:// and tls:// may stand before it",
  }),
  id: text({
    group,
    placeholder: 'ID',
    default: 'tinymq',
    variable: 'TINYMQ_ID',
    help: 'the client id',
  }),
  ...credentialOptions,
  tls: toggle({
    group,
    variable: 'TINYMQ_TLS',
    help: 'use TLS; the other -tls flags mean that too',
  }),
  'tls-ca': text({
    group,
    placeholder: 'FILE',
    variable: 'TINYMQ_TLS_CA',
    help: 'the CA that signed the certificate of the broker (PEM)',
  }),
  'tls-cert': { ...connectionOptions['tls-cert'], variable: 'TINYMQ_TLS_CERT' },
  'tls-key': { ...connectionOptions['tls-key'], variable: 'TINYMQ_TLS_KEY' },
  'tls-server-name': { ...connectionOptions['tls-server-name'], variable: 'TINYMQ_TLS_SERVER_NAME' },
  'tls-insecure': { ...connectionOptions['tls-insecure'], variable: 'TINYMQ_TLS_INSECURE' },
  'connect-timeout': { ...connectionOptions['connect-timeout'], variable: 'TINYMQ_CONNECT_TIMEOUT' },
  'request-timeout': duration(
    { min: 1, max: DAY_MS },
    {
      group,
      default: '30',
      variable: 'TINYMQ_REQUEST_TIMEOUT',
      help: 'how long an answer may take, and how long to try again where Kafka is not ready',
    },
  ),
  options: text({
    group: 'Output',
    placeholder: 'FILE',
    variable: 'TINYMQ_OPTIONS',
    help: 'read options from a YAML or JSON file',
  }),
};

/** Who has to have a message before its producer is answered, as flags and as the protocol say it. */
export const ACKS = { '0': 0, '1': 1, all: -1 } as const;
export type Acks = (typeof ACKS)[keyof typeof ACKS];

/** The flag of a file of options is not -config here, which is a setting of a topic for Kafka's users. */
export const optionsFileFlag = 'options';
