noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
  %D%/bundle.c \
  %D%/cache.c \
  %D%/check.c \
  %D%/check_flows.c \
  %D%/check_secrets.c \
  %D%/codes.c \
  %D%/compatibility.c %D%/compatibility.h %D%/compatibility_private.h \
  %D%/compatibility_array.c \
  %D%/compatibility_content.c %D%/compatibility_implied.c \
  %D%/compatibility_logic.c \
  %D%/compatibility_object.c \
  %D%/compatibility_schema.c \
  %D%/compatibility_value.c \
  %D%/contract.c \
  %D%/contract_check.c \
  %D%/describe.c %D%/describe.h \
  %D%/editor_schema.c %D%/editor_schema.h \
  %D%/effect.c \
  %D%/expiry.c %D%/expiry.h \
  %D%/effective.c %D%/effective.h \
  %D%/endpoint.c %D%/endpoint_archive.c \
  %D%/environments.c \
  %D%/error_codes.c %D%/error_codes.h \
  %D%/expect.c \
  %D%/flow.c \
  %D%/jq_call.c \
  %D%/jq_field.c %D%/jq_walk_private.h \
  %D%/jq_tokens.c %D%/jq_tokens.h \
  %D%/jq_walk.c %D%/jq_walk.h \
  %D%/load.c %D%/load.h \
  %D%/registry.h \
  %D%/reach.c \
  %D%/report.c \
  %D%/sarif.c \
  %D%/shape.c %D%/shape.h \
  %D%/site.c %D%/site.h \
  %D%/site_yaml.c \
  %D%/segments.c \
  %D%/snippet.c \
  %D%/steps.c \
  %D%/system.c \
  %D%/table.c \
  %D%/topology.c \
  %D%/transfer.c %D%/transfer.h \
  %D%/trial.c %D%/trial.h %D%/trial_private.h \
  %D%/trial_check.c \
  %D%/trial_files.c \
  %D%/yaml.c %D%/yaml.h \
  %D%/yaml_variables.c %D%/yaml_place.c

# what ships: contracts, and sites to start from (config_shipped finds them), a variable for each folder
ship_canonical_assetdir = $(pkgdatadir)/canonical/asset
dist_ship_canonical_asset_DATA = \
  %D%/canonical/asset/v1.schema.json
ship_canonical_casedir = $(pkgdatadir)/canonical/case
dist_ship_canonical_case_DATA = \
  %D%/canonical/case/v1.schema.json
ship_canonical_contractdir = $(pkgdatadir)/canonical/contract
dist_ship_canonical_contract_DATA = \
  %D%/canonical/contract/v1.schema.json
ship_canonical_customerdir = $(pkgdatadir)/canonical/customer
dist_ship_canonical_customer_DATA = \
  %D%/canonical/customer/v1.schema.json
ship_canonical_entitlementdir = $(pkgdatadir)/canonical/entitlement
dist_ship_canonical_entitlement_DATA = \
  %D%/canonical/entitlement/v1.schema.json
ship_canonical_inventorydir = $(pkgdatadir)/canonical/inventory
dist_ship_canonical_inventory_DATA = \
  %D%/canonical/inventory/v1.schema.json
ship_canonical_invoicedir = $(pkgdatadir)/canonical/invoice
dist_ship_canonical_invoice_DATA = \
  %D%/canonical/invoice/v1.schema.json
ship_canonical_opportunitydir = $(pkgdatadir)/canonical/opportunity
dist_ship_canonical_opportunity_DATA = \
  %D%/canonical/opportunity/v1.schema.json
ship_canonical_orderdir = $(pkgdatadir)/canonical/order
dist_ship_canonical_order_DATA = \
  %D%/canonical/order/v1.schema.json
ship_canonical_paymentdir = $(pkgdatadir)/canonical/payment
dist_ship_canonical_payment_DATA = \
  %D%/canonical/payment/v1.schema.json
ship_canonical_pricedir = $(pkgdatadir)/canonical/price
dist_ship_canonical_price_DATA = \
  %D%/canonical/price/v1.schema.json
ship_canonical_productdir = $(pkgdatadir)/canonical/product
dist_ship_canonical_product_DATA = \
  %D%/canonical/product/v1.schema.json
ship_canonical_shipmentdir = $(pkgdatadir)/canonical/shipment
dist_ship_canonical_shipment_DATA = \
  %D%/canonical/shipment/v1.schema.json
ship_canonical_statementdir = $(pkgdatadir)/canonical/statement
dist_ship_canonical_statement_DATA = \
  %D%/canonical/statement/v1.schema.json
ship_canonical_subscriptiondir = $(pkgdatadir)/canonical/subscription
dist_ship_canonical_subscription_DATA = \
  %D%/canonical/subscription/v1.schema.json
ship_layoutsdir = $(pkgdatadir)/layouts
dist_ship_layouts_DATA = \
  %D%/layouts/ORDERS05.yaml
ship_edidir = $(pkgdatadir)/edi
dist_ship_edi_DATA = \
  %D%/edi/edifact-22-contrl.yaml \
  %D%/edi/edifact-22.yaml \
  %D%/edi/edifact-41-contrl.yaml \
  %D%/edi/edifact-41.yaml \
  %D%/edi/edifact-d01b-aperak.yaml \
  %D%/edi/edifact-d01b-contrl.yaml \
  %D%/edi/edifact-d01b-desadv.yaml \
  %D%/edi/edifact-d01b-invoic.yaml \
  %D%/edi/edifact-d01b-ordchg.yaml \
  %D%/edi/edifact-d01b-orders.yaml \
  %D%/edi/edifact-d01b-ordrsp.yaml \
  %D%/edi/edifact-d01b.yaml \
  %D%/edi/edifact-d3-contrl.yaml \
  %D%/edi/edifact-d3.yaml \
  %D%/edi/edifact-d96a-aperak.yaml \
  %D%/edi/edifact-d96a-contrl.yaml \
  %D%/edi/edifact-d96a-desadv.yaml \
  %D%/edi/edifact-d96a-invoic.yaml \
  %D%/edi/edifact-d96a-ordchg.yaml \
  %D%/edi/edifact-d96a-orders.yaml \
  %D%/edi/edifact-d96a-ordrsp.yaml \
  %D%/edi/edifact-d96a.yaml \
  %D%/edi/x12-004010-810.yaml \
  %D%/edi/x12-004010-820.yaml \
  %D%/edi/x12-004010-850.yaml \
  %D%/edi/x12-004010-855.yaml \
  %D%/edi/x12-004010-856.yaml \
  %D%/edi/x12-004010-860.yaml \
  %D%/edi/x12-004010-997.yaml \
  %D%/edi/x12-004010.yaml \
  %D%/edi/x12-005010-810.yaml \
  %D%/edi/x12-005010-820.yaml \
  %D%/edi/x12-005010-850.yaml \
  %D%/edi/x12-005010-855.yaml \
  %D%/edi/x12-005010-856.yaml \
  %D%/edi/x12-005010-860.yaml \
  %D%/edi/x12-005010-997.yaml \
  %D%/edi/x12-005010-999.yaml \
  %D%/edi/x12-005010.yaml
ship_calendarsdir = $(pkgdatadir)/calendars
dist_ship_calendars_DATA = \
  %D%/calendars/target2.yaml \
  %D%/calendars/uk-england.yaml \
  %D%/calendars/us-federal.yaml
ship_snippetsdir = $(pkgdatadir)/snippets
dist_ship_snippets_DATA = \
  %D%/snippets/ferrule-alert.yaml
ship_mappingsdir = $(pkgdatadir)/mappings
dist_ship_mappings_DATA = \
  %D%/mappings/bai2-to-statement.jq \
  %D%/mappings/camt-to-payments.jq \
  %D%/mappings/camt-to-statement.jq \
  %D%/mappings/cxml-order-to-order.jq \
  %D%/mappings/edifact-desadv-to-shipment.jq \
  %D%/mappings/edifact-invoic-to-invoice.jq \
  %D%/mappings/edifact-orders-to-order.jq \
  %D%/mappings/invoice-to-edifact-invoic.jq \
  %D%/mappings/invoice-to-ubl.jq \
  %D%/mappings/invoice-to-x12-810.jq \
  %D%/mappings/mt940-to-statement.jq \
  %D%/mappings/idoc-orders-to-order.jq \
  %D%/mappings/order-to-edifact-orders.jq \
  %D%/mappings/order-to-erp-csv.jq \
  %D%/mappings/order-to-idoc-orders.jq \
  %D%/mappings/order-to-x12-850.jq \
  %D%/mappings/order-to-x12-855.jq \
  %D%/mappings/pain-to-payments.jq \
  %D%/mappings/shipment-to-edifact-desadv.jq \
  %D%/mappings/shipment-to-x12-856.jq \
  %D%/mappings/ubl-to-invoice.jq \
  %D%/mappings/x12-810-to-invoice.jq \
  %D%/mappings/x12-850-to-order.jq \
  %D%/mappings/x12-856-to-shipment.jq
ship_sample_order_to_cashdir = $(pkgdatadir)/sample/order-to-cash
dist_ship_sample_order_to_cash_DATA = \
  %D%/sample/order-to-cash/.gitignore \
  %D%/sample/order-to-cash/README.md \
  %D%/sample/order-to-cash/demo.sh \
  %D%/sample/order-to-cash/next.txt \
  %D%/sample/order-to-cash/site.yaml
ship_sample_order_to_cash_environmentsdir = $(pkgdatadir)/sample/order-to-cash/environments
dist_ship_sample_order_to_cash_environments_DATA = \
  %D%/sample/order-to-cash/environments/dev.yaml \
  %D%/sample/order-to-cash/environments/prod.yaml
ship_sample_order_to_cash_flowsdir = $(pkgdatadir)/sample/order-to-cash/flows
dist_ship_sample_order_to_cash_flows_DATA = \
  %D%/sample/order-to-cash/flows/acme-orders.yaml \
  %D%/sample/order-to-cash/flows/crm-orders.yaml \
  %D%/sample/order-to-cash/flows/orders-to-erp.yaml \
  %D%/sample/order-to-cash/flows/orders-to-finance.yaml \
  %D%/sample/order-to-cash/flows/orders-to-support.yaml
ship_sample_order_to_cash_input_acmedir = $(pkgdatadir)/sample/order-to-cash/input/acme
dist_ship_sample_order_to_cash_input_acme_DATA = \
  %D%/sample/order-to-cash/input/acme/20260302-acme-0001.edi \
  %D%/sample/order-to-cash/input/acme/20260302-acme-0002.edi \
  %D%/sample/order-to-cash/input/acme/20260303-acme-0003.edi \
  %D%/sample/order-to-cash/input/acme/20260303-acme-0004.edi \
  %D%/sample/order-to-cash/input/acme/20260304-acme-0005.edi
ship_sample_order_to_cash_input_acme_againdir = $(pkgdatadir)/sample/order-to-cash/input/acme/again
dist_ship_sample_order_to_cash_input_acme_again_DATA = \
  %D%/sample/order-to-cash/input/acme/again/20260304-acme-0005.edi
ship_sample_order_to_cash_input_crmdir = $(pkgdatadir)/sample/order-to-cash/input/crm
dist_ship_sample_order_to_cash_input_crm_DATA = \
  %D%/sample/order-to-cash/input/crm/OPP-20431.json \
  %D%/sample/order-to-cash/input/crm/OPP-20447.json \
  %D%/sample/order-to-cash/input/crm/OPP-20452.json
ship_sample_order_to_cash_mappingsdir = $(pkgdatadir)/sample/order-to-cash/mappings
dist_ship_sample_order_to_cash_mappings_DATA = \
  %D%/sample/order-to-cash/mappings/acme-850-to-order.jq \
  %D%/sample/order-to-cash/mappings/crm-opportunity-to-order.jq \
  %D%/sample/order-to-cash/mappings/order-to-entitlements.jq \
  %D%/sample/order-to-cash/mappings/order-to-erp.jq
ship_sample_order_to_cash_runbooksdir = $(pkgdatadir)/sample/order-to-cash/runbooks
dist_ship_sample_order_to_cash_runbooks_DATA = \
  %D%/sample/order-to-cash/runbooks/acme-orders.md \
  %D%/sample/order-to-cash/runbooks/erp-import.md \
  %D%/sample/order-to-cash/runbooks/support-api.md
ship_sample_order_to_cash_testsdir = $(pkgdatadir)/sample/order-to-cash/tests
dist_ship_sample_order_to_cash_tests_DATA = \
  %D%/sample/order-to-cash/tests/acme-orders.yaml \
  %D%/sample/order-to-cash/tests/crm-orders.yaml \
  %D%/sample/order-to-cash/tests/deliveries.yaml
ship_sample_order_to_cash_tests_filesdir = $(pkgdatadir)/sample/order-to-cash/tests/files
dist_ship_sample_order_to_cash_tests_files_DATA = \
  %D%/sample/order-to-cash/tests/files/PO-4711.csv \
  %D%/sample/order-to-cash/tests/files/PO-4711.xml
ship_sample_order_to_cash_systemsdir = $(pkgdatadir)/sample/order-to-cash/systems
dist_ship_sample_order_to_cash_systems_DATA = \
  %D%/sample/order-to-cash/systems/support.yaml
ship_sample_edi_to_erpdir = $(pkgdatadir)/sample/edi-to-erp
dist_ship_sample_edi_to_erp_DATA = \
  %D%/sample/edi-to-erp/.gitignore \
  %D%/sample/edi-to-erp/README.md \
  %D%/sample/edi-to-erp/next.txt \
  %D%/sample/edi-to-erp/site.yaml
ship_sample_edi_to_erp_environmentsdir = $(pkgdatadir)/sample/edi-to-erp/environments
dist_ship_sample_edi_to_erp_environments_DATA = \
  %D%/sample/edi-to-erp/environments/prod.yaml
ship_sample_edi_to_erp_flowsdir = $(pkgdatadir)/sample/edi-to-erp/flows
dist_ship_sample_edi_to_erp_flows_DATA = \
  %D%/sample/edi-to-erp/flows/orders-to-erp.yaml \
  %D%/sample/edi-to-erp/flows/partner-orders.yaml \
  %D%/sample/edi-to-erp/flows/refused-orders.yaml
ship_sample_edi_to_erp_inputdir = $(pkgdatadir)/sample/edi-to-erp/input
dist_ship_sample_edi_to_erp_input_DATA = \
  %D%/sample/edi-to-erp/input/acme-0001.edi \
  %D%/sample/edi-to-erp/input/brix-0007.edi
ship_sample_edi_to_erp_mappingsdir = $(pkgdatadir)/sample/edi-to-erp/mappings
dist_ship_sample_edi_to_erp_mappings_DATA = \
  %D%/sample/edi-to-erp/mappings/brix-850-to-order.jq \
  %D%/sample/edi-to-erp/mappings/x12-850-to-order.jq
ship_sample_edi_to_erp_runbooksdir = $(pkgdatadir)/sample/edi-to-erp/runbooks
dist_ship_sample_edi_to_erp_runbooks_DATA = \
  %D%/sample/edi-to-erp/runbooks/erp-import.md \
  %D%/sample/edi-to-erp/runbooks/partner-orders.md
ship_sample_edi_to_erp_testsdir = $(pkgdatadir)/sample/edi-to-erp/tests
dist_ship_sample_edi_to_erp_tests_DATA = \
  %D%/sample/edi-to-erp/tests/partner-orders.yaml
ship_sample_emptydir = $(pkgdatadir)/sample/empty
dist_ship_sample_empty_DATA = \
  %D%/sample/empty/.gitignore \
  %D%/sample/empty/README.md \
  %D%/sample/empty/next.txt \
  %D%/sample/empty/site.yaml
ship_sample_file_to_httpdir = $(pkgdatadir)/sample/file-to-http
dist_ship_sample_file_to_http_DATA = \
  %D%/sample/file-to-http/.gitignore \
  %D%/sample/file-to-http/README.md \
  %D%/sample/file-to-http/next.txt \
  %D%/sample/file-to-http/site.yaml
ship_sample_file_to_http_canonical_stockdir = $(pkgdatadir)/sample/file-to-http/canonical/stock
dist_ship_sample_file_to_http_canonical_stock_DATA = \
  %D%/sample/file-to-http/canonical/stock/v1.schema.json
ship_sample_file_to_http_environmentsdir = $(pkgdatadir)/sample/file-to-http/environments
dist_ship_sample_file_to_http_environments_DATA = \
  %D%/sample/file-to-http/environments/prod.yaml
ship_sample_file_to_http_flowsdir = $(pkgdatadir)/sample/file-to-http/flows
dist_ship_sample_file_to_http_flows_DATA = \
  %D%/sample/file-to-http/flows/stock-to-shop.yaml
ship_sample_file_to_http_inputdir = $(pkgdatadir)/sample/file-to-http/input
dist_ship_sample_file_to_http_input_DATA = \
  %D%/sample/file-to-http/input/stock-20260302.jsonl
ship_sample_file_to_http_mappingsdir = $(pkgdatadir)/sample/file-to-http/mappings
dist_ship_sample_file_to_http_mappings_DATA = \
  %D%/sample/file-to-http/mappings/stock-to-shop.jq
ship_sample_file_to_http_runbooksdir = $(pkgdatadir)/sample/file-to-http/runbooks
dist_ship_sample_file_to_http_runbooks_DATA = \
  %D%/sample/file-to-http/runbooks/shop-api.md
ship_sample_file_to_http_systemsdir = $(pkgdatadir)/sample/file-to-http/systems
dist_ship_sample_file_to_http_systems_DATA = \
  %D%/sample/file-to-http/systems/shop.yaml
ship_sample_file_to_http_testsdir = $(pkgdatadir)/sample/file-to-http/tests
dist_ship_sample_file_to_http_tests_DATA = \
  %D%/sample/file-to-http/tests/stock-to-shop.yaml
