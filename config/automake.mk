noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
  %D%/bundle.c \
  %D%/check.c \
  %D%/contract.c \
  %D%/contract_check.c \
  %D%/effect.c \
  %D%/endpoint.c \
  %D%/flow.c \
  %D%/load.c %D%/load.h \
  %D%/registry.h \
  %D%/report.c \
  %D%/site.c %D%/site.h \
  %D%/site_yaml.c \
  %D%/steps.c \
  %D%/system.c \
  %D%/topology.c \
  %D%/yaml.c %D%/yaml.h

# what ships: contracts, and sites to start from (config_shipped finds them)
nobase_dist_pkgdata_DATA = \
  %D%/canonical/entitlement/v1.schema.json \
  %D%/canonical/opportunity/v1.schema.json \
  %D%/canonical/order/v1.schema.json \
  %D%/sample/order-to-cash/.gitignore \
  %D%/sample/order-to-cash/README.md \
  %D%/sample/order-to-cash/environments/dev.yaml \
  %D%/sample/order-to-cash/environments/prod.yaml \
  %D%/sample/order-to-cash/flows/acme-orders.yaml \
  %D%/sample/order-to-cash/flows/crm-orders.yaml \
  %D%/sample/order-to-cash/flows/orders-to-erp.yaml \
  %D%/sample/order-to-cash/flows/orders-to-finance.yaml \
  %D%/sample/order-to-cash/flows/orders-to-support.yaml \
  %D%/sample/order-to-cash/input/acme/20260302-acme-0001.edi \
  %D%/sample/order-to-cash/input/acme/20260302-acme-0002.edi \
  %D%/sample/order-to-cash/input/acme/20260303-acme-0003.edi \
  %D%/sample/order-to-cash/input/acme/20260303-acme-0004.edi \
  %D%/sample/order-to-cash/input/acme/20260304-acme-0005.edi \
  %D%/sample/order-to-cash/input/acme/again/20260304-acme-0005.edi \
  %D%/sample/order-to-cash/input/crm/OPP-20431.json \
  %D%/sample/order-to-cash/input/crm/OPP-20447.json \
  %D%/sample/order-to-cash/input/crm/OPP-20452.json \
  %D%/sample/order-to-cash/mappings/acme-850-to-order.jq \
  %D%/sample/order-to-cash/mappings/crm-opportunity-to-order.jq \
  %D%/sample/order-to-cash/mappings/order-to-entitlements.jq \
  %D%/sample/order-to-cash/mappings/order-to-erp.jq \
  %D%/sample/order-to-cash/runbooks/acme-orders.md \
  %D%/sample/order-to-cash/runbooks/erp-import.md \
  %D%/sample/order-to-cash/runbooks/support-api.md \
  %D%/sample/order-to-cash/site.yaml \
  %D%/sample/order-to-cash/systems/support.yaml
