<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:o="urn:o" exclude-result-prefixes="o">
  <xsl:include href="names.xsl"/>
  <xsl:variable name="units" select="document('units.xml')/units"/>
  <xsl:template match="/o:Order">
    <Bestellung nr="{o:Number}">
      <xsl:for-each select="o:Line"><xsl:call-template name="line"/></xsl:for-each>
      <Einheit><xsl:value-of select="$units/unit[@id = 'EA']"/></Einheit>
    </Bestellung>
  </xsl:template>
</xsl:stylesheet>
