//! What routes say of connections: the calls, and how a connection's settings follow from them.

use std::sync::Arc;

use super::Stack;
use crate::error::Error;
use crate::network::{Route, RouteAttributes};
use crate::transport::tcp::{EcnMode, Endpoints, Settings};

/// The settings of a connection over a route with these attributes.
pub(super) fn settings_on(attributes: &RouteAttributes, settings: &Arc<Settings>) -> Arc<Settings> {
    if attributes.is_empty() {
        return Arc::clone(settings);
    }
    Arc::new(Settings {
        advertised_mss: attributes.advmss.or(settings.advertised_mss),
        initial_window: attributes.initcwnd.unwrap_or(settings.initial_window),
        rto_min: attributes.rto_min.unwrap_or(settings.rto_min),
        ecn: match settings.ecn {
            EcnMode::Off | EcnMode::Passive if attributes.ecn => EcnMode::On,
            ecn => ecn,
        },
        ..Settings::clone(settings)
    })
}

impl Stack {
    /// Adds a route. The longest prefix wins, then the lowest metric.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown interface or a gateway of the other family.
    pub fn add_route(&mut self, route: Route) -> Result<(), Error> {
        if self.interfaces.get(usize::from(route.interface.0)).is_none() {
            return Err(Error::InvalidArgument);
        }
        self.network.add_route(route)
    }

    /// Takes a route away. Whether it was there.
    pub fn remove_route(&mut self, route: &Route) -> bool {
        self.network.remove_route(route)
    }

    /// All routes, those of the interfaces' own subnets included.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.network.routes()
    }

    /// Says what holds on a route: its MTU, and what new connections over it begin with. A connection that is there
    /// follows the MTU, and nothing else.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a route that is not there, or an MTU below the least that IP knows.
    pub fn set_route_attributes(&mut self, route: &Route, attributes: RouteAttributes) -> Result<(), Error> {
        self.network.set_route_attributes(route, attributes)
    }

    /// What holds on a route, if it is there.
    pub fn route_attributes(&self, route: &Route) -> Option<RouteAttributes> {
        self.network.route_attributes(route)
    }

    /// What the route says that packets of a connection take.
    pub(super) fn attributes(&self, ends: &Endpoints) -> RouteAttributes {
        let path = self.network.route(ends.remote.ip(), Some(ends.local.ip()), None);
        path.map_or(RouteAttributes::default(), |path| path.attributes)
    }
}
