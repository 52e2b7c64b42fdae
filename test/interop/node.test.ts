import { nodeClients } from './support/clients.ts';
import { describeFamily } from './support/suite.ts';
import { node } from './support/toolchains.ts';

describeFamily('Node', await node(), nodeClients);
