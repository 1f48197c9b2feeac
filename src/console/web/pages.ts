import type { JSX } from 'preact';
import { AlarmPage } from './pages/alarm.js';
import { AlarmsPage } from './pages/alarms.js';
import { AuditPage } from './pages/audit.js';
import { KeyPage } from './pages/key.js';
import { CreateKeyPage } from './pages/key_create.js';
import { KeysPage } from './pages/keys.js';
import { LabPage } from './pages/lab.js';
import { ClockPage } from './pages/clock.js';
import { ProxyPage } from './pages/proxy.js';
import { ReplicationPage } from './pages/replication.js';
import { ReplicationsPage } from './pages/replications.js';
import { TokensPage } from './pages/tokens.js';
import { ValidationPage, ValidationReportPage } from './pages/validation.js';

/** What a page is rendered with. */
export interface PageProps {
  /** The parts of its path, by name. */
  readonly params: Readonly<Record<string, string>>;
}

/** A page of the console. */
export interface Page {
  /** Pattern of its path; pages of a Region begin with `/:region`, so that choosing another one stays on the page. */
  readonly path: string;
  /** Its line in the navigation; pages that are reached from others have none. */
  readonly nav?: string;
  /** Heading over its line in the navigation. */
  readonly group?: string;
  /** Only operators have it in the navigation: others are refused by the console. */
  readonly isOperator?: boolean;
  /** Only where the lab’s clock and proxy can be steered. */
  readonly isLabOnly?: boolean;
  readonly component: (props: PageProps) => JSX.Element;
}

/** All pages, in the order of the navigation; the first pattern that matches wins. A new one is a file in pages/ and a line here. */
export const PAGES: readonly Page[] = [
  { path: '/lab', nav: 'Regions and programs', group: 'Laboratory', isOperator: true, component: LabPage },
  { path: '/replications', nav: 'Replications', group: 'Laboratory', isOperator: true, component: ReplicationsPage },
  { path: '/replications/:id', component: ReplicationPage },
  { path: '/tokens', nav: 'Tokens', group: 'Laboratory', isOperator: true, component: TokensPage },
  { path: '/validation', nav: 'Validation reports', group: 'Laboratory', isOperator: true, component: ValidationPage },
  { path: '/validation/:name', component: ValidationReportPage },
  { path: '/proxy', nav: 'Proxy', group: 'Laboratory', isOperator: true, isLabOnly: true, component: ProxyPage },
  { path: '/clock', nav: 'Clock', group: 'Laboratory', isOperator: true, isLabOnly: true, component: ClockPage },
  { path: '/:region/keys', nav: 'Customer managed keys', group: 'Key Management Service', component: KeysPage },
  { path: '/:region/keys/create', component: CreateKeyPage },
  { path: '/:region/keys/:keyId/:tab?', component: KeyPage },
  { path: '/:region/alarms', nav: 'Alarms', group: 'Key Management Service', component: AlarmsPage },
  { path: '/:region/alarms/:name', component: AlarmPage },
  { path: '/:region/audit', nav: 'Audit events', group: 'Key Management Service', component: AuditPage },
];
