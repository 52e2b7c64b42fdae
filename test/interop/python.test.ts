import { pythonClients } from './support/clients.ts';
import { describeFamily } from './support/suite.ts';
import { python } from './support/toolchains.ts';

describeFamily('Python', await python(), pythonClients);
