import type { Route } from '../../lib/route.ts';
import { refine } from '../../lib/use-route.ts';
import { ViewHead } from '../../parts/basics.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { AccessTest } from './access-test.tsx';
import { Limits } from './limits.tsx';
import { Rules } from './rules.tsx';
import { Users } from './users.tsx';

const TABS = [
  { id: 'users', name: 'Users', Part: Users },
  { id: 'rules', name: 'Rules', Part: Rules },
  { id: 'test', name: 'May they?', Part: AccessTest },
  { id: 'limits', name: 'Limits', Part: Limits },
] as const;

/** Who may do what. */
export function AccessView({ route }: { route: Route }) {
  const { id, Part } = TABS.find((each) => each.id === route.query.tab) ?? TABS[0];
  return (
    <>
      <ViewHead title="Access" />
      <Tabs label="Access" tabs={TABS} selected={id} onSelect={(tab) => refine(route, { tab })}>
        <Part />
      </Tabs>
    </>
  );
}
