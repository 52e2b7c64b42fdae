import type { FunctionComponent } from 'preact';
import type { Route } from '../lib/route.ts';
import { AccessView } from './access/access.tsx';
import { ClientView } from './client.tsx';
import { ClientsView } from './clients.tsx';
import { GroupView } from './group.tsx';
import { GroupsView } from './groups.tsx';
import { NodesView } from './nodes.tsx';
import { OverviewView } from './overview.tsx';
import { RetainedView } from './retained.tsx';
import { SessionsView } from './sessions.tsx';
import { TopicsView } from './topics/topics.tsx';
import { WhyView } from './why.tsx';

/** A place of the page that the navigation leads to. */
export interface Place {
  id: string;
  name: string;
  /** With `g` before it. */
  key: string;
  View: FunctionComponent<{ route: Route }>;
  /** One of the things that the view lists. */
  One?: FunctionComponent<{ route: Route }>;
  /** Whether a broker on its own has nothing to show there. */
  isOfCluster?: boolean;
}

const PLACES: readonly [Place, ...Place[]] = [
  { id: 'overview', name: 'Overview', key: 'o', View: OverviewView },
  { id: 'topics', name: 'Topics', key: 't', View: TopicsView },
  { id: 'clients', name: 'Clients', key: 'c', View: ClientsView, One: ClientView },
  { id: 'sessions', name: 'Sessions', key: 's', View: SessionsView },
  { id: 'retained', name: 'Retained', key: 'r', View: RetainedView },
  { id: 'groups', name: 'Groups', key: 'p', View: GroupsView, One: GroupView },
  { id: 'nodes', name: 'Nodes', key: 'n', View: NodesView, isOfCluster: true },
  { id: 'why', name: 'Why', key: 'w', View: WhyView },
  { id: 'access', name: 'Access', key: 'a', View: AccessView },
];

/** The places that the navigation and the keys lead to. */
export function placesOf(isCluster: boolean | undefined): readonly Place[] {
  return isCluster === true ? PLACES : PLACES.filter(({ isOfCluster }) => !isOfCluster);
}

/** What is shown at a place; the overview where there is nothing. */
export function viewOf({ path: [id, one] }: Route): { place: Place; View: Place['View'] } {
  const place = PLACES.find((each) => each.id === id) ?? PLACES[0];
  return { place, View: (one !== undefined && place.One) || place.View };
}
