import { expect, it } from 'vitest';
import { unknownVariables } from './unknown-variables.ts';

it.each([
  [{ TINYMQ_ADRESS: 'x' }, ['the variable TINYMQ_ADRESS has no effect; did you mean TINYMQ_ADDRESS?']],
  [{ tinymq_address: 'x' }, ['the variable tinymq_address has no effect; did you mean TINYMQ_ADDRESS?']],
  [{ TINYMQ_COLOUR: 'blue' }, ['the variable TINYMQ_COLOUR has no effect']],
])('%o is told', (environment, sentences) => {
  expect(unknownVariables(environment)).toEqual(sentences);
});

it.each<Record<string, string>>([
  { PATH: '/bin', ADDRESS: 'x' },
  { TINYMQ_ADDRESS: 'x', TINYMQ_TOPIC: 'of publisher', TINYMQ_CONSUME_COUNT: '1', TINYMQ_SMQ_ADDRESS: 'x' },
  { TINYMQ_KEEP: '#', TINYMQ_LOG: 'its former name', TINYMQ_LOG_RETENTION_BYTES: '1' },
  { TINYMQ_PROGRAM_FOLDER: '/x', TINYMQ_INSTALLING: '1', TINYMQ_HOST: 'of dashmq' },
  // What Kubernetes sets for a service of this name.
  { TINYMQ_SERVICE_HOST: '10.0.0.1', TINYMQ_SERVICE_PORT_MQTT: '1883', TINYMQ_PORT: 'tcp://10.0.0.1:1883' },
  { TINYMQ_PORT_1883_TCP: 'tcp://10.0.0.1:1883', TINYMQ_PORT_1883_TCP_ADDR: '10.0.0.1' },
])('%o is not', (environment) => {
  expect(unknownVariables(environment)).toEqual([]);
});
