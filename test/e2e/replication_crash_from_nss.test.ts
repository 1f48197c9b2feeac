import { describeCrashes } from '../support/replication_crash.js';

describeCrashes('nss', 'softhsm2');
