import { describeCrashes } from '../support/replication_crash.js';

describeCrashes('softhsm2', 'nss');
