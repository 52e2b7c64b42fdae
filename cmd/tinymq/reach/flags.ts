import { credentialOptions } from '../../cli/options/credential-options.ts';
import { list, text } from '../../cli/options/option.ts';
import { kafkaOptions } from '../kafka-flags.ts';

/** Whose users, rules and store are meant. */
export const placeOptions = {
  'data-dir': text({
    group: 'Broker',
    placeholder: 'FOLDER',
    default: './data',
    variable: 'TINYMQ_DATA_DIR',
    help: 'the data folder of the broker, which is reached by the socket there if it runs, else by its store',
  }),
  'kafka-log-dir': list({
    group: 'Broker',
    placeholder: 'FOLDER',
    variable: 'TINYMQ_KAFKA_LOG_DIR',
    help: 'the log directories of a Kafka, where the broker has them instead of a data folder',
  }),
  context: text({
    group: 'Broker',
    placeholder: 'NAME',
    variable: 'TINYMQ_CONTEXT',
    help: 'a place that tinymq context add has remembered, instead of a folder',
  }),
};

/** How a broker is reached from another machine. */
export const urlOptions = {
  url: text({
    group: 'Broker',
    placeholder: 'URL',
    variable: 'TINYMQ_URL',
    help: 'the HTTP door of the broker, such as https://host:8080, instead of a folder',
  }),
  ...credentialOptions,
  'tls-ca': { ...kafkaOptions['tls-ca'], group: 'Broker' },
};

/** Where a broker is that runs. */
export const brokerOptions = {
  ...placeOptions,
  'data-dir': text({
    group: 'Broker',
    placeholder: 'FOLDER',
    default: './data',
    variable: 'TINYMQ_DATA_DIR',
    help: 'the data folder of the broker, which is reached by the socket there',
  }),
  ...urlOptions,
};
