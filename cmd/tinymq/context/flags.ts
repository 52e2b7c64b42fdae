import { list, text, toggle } from '../../cli/options/option.ts';
import type { Operands, Program } from '../../cli/options/program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';

const json = toggle({ group: 'Output', help: 'print the result as one JSON object' });
const quiet = toggle({ group: 'Output', help: 'print nothing unless it fails' });
const outputOptions = { json, quiet, options: kafkaOptions.options };
const name: Operands = { usage: 'NAME', help: 'the name of the context', min: 1, max: 1 };
const group = 'Broker';

const addOptions = {
  'data-dir': text({ group, placeholder: 'FOLDER', help: 'the data folder of a broker on this machine' }),
  'kafka-log-dir': list({
    group,
    placeholder: 'FOLDER',
    help: 'the log directories of a Kafka, where the broker has them instead of a data folder',
  }),
  url: text({ group, placeholder: 'URL', help: 'the HTTP door of a broker, such as https://host:8080' }),
  user: text({ group, placeholder: 'NAME', help: 'the user at -url; the password is asked for each time' }),
  'password-file': text({
    group,
    placeholder: 'FILE',
    help: 'a file with the password in its first line; its name is remembered, not the password',
  }),
  'token-file': text({ group, placeholder: 'FILE', help: 'a file with a token, instead of a user' }),
  'tls-ca': text({
    group,
    placeholder: 'FILE',
    help: 'the CA that signed the certificate of the broker (PEM)',
  }),
  ...outputOptions,
};

export const contextAddProgram: Program<typeof addOptions> = {
  name: 'tinymq context add',
  summary: 'Remembers where a broker is under a name; the first one is used from then on.',
  options: addOptions,
  operands: name,
  fileFlag: optionsFileFlag,
  examples: [
    'tinymq context add local -data-dir /var/lib/tinymq',
    'tinymq context add prod -url https://mq.example.com:8080 -token-file ~/prod.token',
  ],
};

export const contextUseProgram: Program<typeof outputOptions> = {
  name: 'tinymq context use',
  summary: 'Uses a context for all commands that name no other place.',
  options: outputOptions,
  operands: name,
  fileFlag: optionsFileFlag,
  examples: ['tinymq context use prod'],
};

const lsOptions = { json, options: kafkaOptions.options };

export const contextLsProgram: Program<typeof lsOptions> = {
  name: 'tinymq context ls',
  summary: 'Lists the contexts; the one that is used has a star.',
  options: lsOptions,
  fileFlag: optionsFileFlag,
  examples: ['tinymq context ls'],
};

export const contextRmProgram: Program<typeof outputOptions> = {
  name: 'tinymq context rm',
  summary: 'Forgets a context. Files that it names stay.',
  options: outputOptions,
  operands: name,
  fileFlag: optionsFileFlag,
  examples: ['tinymq context rm prod'],
};
