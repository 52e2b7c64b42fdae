import { integer, list, text, toggle } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const MOST_DAYS = 10_000;

const options = {
  out: text({
    group: 'Certificates',
    placeholder: 'FOLDER',
    default: './certs',
    help: 'where they are written',
  }),
  name: list({
    group: 'Certificates',
    placeholder: 'HOST|ADDRESS',
    help: 'another name or address of the server, beside localhost and the name of this machine',
  }),
  client: list({
    group: 'Certificates',
    placeholder: 'NAME',
    help: 'make a certificate for this client, whose common name is that of its user; client unless given',
  }),
  days: integer(
    { min: 1, max: MOST_DAYS },
    { group: 'Certificates', default: '825', help: 'how long they are valid' },
  ),
  force: toggle({
    group: 'Certificates',
    help: 'make all of them anew, in the place of those that are there',
  }),
  json: toggle({ group: 'Output', help: 'print the files as JSON' }),
  quiet: toggle({ group: 'Output', help: 'print nothing unless it fails' }),
  options: kafkaOptions.options,
};

export const certsProgram: Program<typeof options> = {
  name: 'tinymq certs',
  summary: 'Makes a CA for development, and certificates of a server and of clients that it signs.',
  options,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq certs -name broker.lan -name 192.0.2.7',
    'tinymq certs -client sensor-7 -client sensor-8',
    'tinymq certs -out /etc/tinymq/certs -force',
  ],
};
